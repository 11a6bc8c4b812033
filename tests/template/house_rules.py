"""Rules that hold for every resource of its kind, whatever its name, those of tomorrow included.

A rule tells what breaks it, one line each, beginning with the resource's logical id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.template.expanded import Expanded

Rule = Callable[[Expanded], Iterator[str]]

#: The only managed policy: AWS's own for CodeDeploy and functions.
MANAGED_POLICY = "iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited"
WRITING = {
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:TransactWriteItems",
}
DELETING = {
    "dynamodb:DeleteItem",
    "dynamodb:DeleteTable",
    "dynamodb:BatchWriteItem",
    "dynamodb:PartiQLDelete",
}
#: A resource of this template, or one whose name begins with the stack's.
OF_THIS_STACK = re.compile(r"^<\w+(\.\w+)?>|^<AWS::StackId>$|:<AWS::StackName>-\*(-dlq)?$")
KEPT = {"AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SecretsManager::Secret"}
LONGEST_RETENTION = 1_209_600  # seconds: 14 days, SQS's limit
DLQ_ROOM = 64 * 1024  # bytes for the reason, which travels in attributes


def queues_end_in_a_dead_letter_queue(template: Expanded) -> Iterator[str]:
    """Every queue redrives to a queue of the template, or is one that only its own queue may redrive to."""
    queues = template.of_type("AWS::SQS::Queue")
    sources = dead_letter_queues(template)
    for name, queue in queues.items():
        if name in sources:
            allowed = queue.get("RedriveAllowPolicy", {})
            arns = [f":{queues[source].get('QueueName')}" for source in sources[name]]
            given = allowed.get("sourceQueueArns", [])
            if allowed.get("redrivePermission") != "byQueue" or not _each_ends(given, arns):
                yield f"{name}: may be named a dead-letter queue by other queues than {sources[name]}"
        elif "RedrivePolicy" not in queue:
            yield f"{name}: has no dead-letter queue"


def _each_ends(given: list[str], endings: list[str]) -> bool:
    return len(given) == len(endings) and all(
        one.endswith(end) for one, end in zip(given, endings, strict=True)
    )


def queues_are_encrypted(template: Expanded) -> Iterator[str]:
    """At rest by SQS's own keys or one of KMS."""
    for name, queue in template.of_type("AWS::SQS::Queue").items():
        if queue.get("SqsManagedSseEnabled") is not True and not queue.get("KmsMasterKeyId"):
            yield f"{name}: is not encrypted"


def queues_refuse_plain_http(template: Expanded) -> Iterator[str]:
    """A policy of every queue denies every action to everybody over plain HTTP."""
    policies = list(template.of_type("AWS::SQS::QueuePolicy").values())
    for name in template.of_type("AWS::SQS::Queue"):
        of_queue = [
            one for policy in policies if f"<{name}>" in policy["Queues"] for one in _statements(policy)
        ]
        if not any(_denies_plain_http(one) for one in of_queue):
            yield f"{name}: takes requests over plain HTTP"


def _denies_plain_http(statement: dict[str, Any]) -> bool:
    return (statement["Effect"], statement["Principal"], statement["Action"], statement["Condition"]) == (
        "Deny",
        "*",
        "sqs:*",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


def queues_take_from_one_rule(template: Expanded) -> Iterator[str]:
    """A queue's policy lets a rule of this template send, and nobody else do anything."""
    for name, policy in template.of_type("AWS::SQS::QueuePolicy").items():
        for statement in _statements(policy):
            if statement["Effect"] != "Allow":
                continue
            source = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn", "")
            rule = source.removeprefix("<").removesuffix(".Arn>")
            is_rule = template.resources.get(rule, {}).get("Type") == "AWS::Events::Rule"
            events = statement["Principal"] == {"Service": "events.amazonaws.com"}
            if not (events and is_rule and statement["Action"] == "sqs:SendMessage"):
                yield f"{name}: lets more than a rule of this template send"


def retentions_are_in_order(template: Expanded) -> Iterator[str]:
    """A dead-letter queue keeps a message longest; the ledger remembers it longer than both together."""
    queues = template.of_type("AWS::SQS::Queue")
    remembered = template.parameters["LedgerTtlDays"]["Default"] * 86_400
    replayable = template.parameters["RetentionDaysTotal"]["Default"] * 86_400
    for dlq, sources in dead_letter_queues(template).items():
        kept = queues[dlq].get("MessageRetentionPeriod", 0)
        for source in sources:
            waits = queues[source].get("MessageRetentionPeriod", LONGEST_RETENTION)
            if not (waits < kept == LONGEST_RETENTION and waits + kept <= replayable <= remembered):
                yield f"{dlq}: keeps messages for {kept} s, {source} for {waits} s"
            size = queues[source].get("MaximumMessageSize", 0)
            if not 0 < size <= queues[dlq].get("MaximumMessageSize", 0) - DLQ_ROOM:
                yield f"{dlq}: has no room for the reason beside what {source} takes"


def mappings_report_partial_failures(template: Expanded) -> Iterator[str]:
    """Whoever is fed by a queue says which messages failed, and is kept from overrunning a provider."""
    for name, mapping in template.of_type("AWS::Lambda::EventSourceMapping").items():
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: a message that fails takes its whole batch with it"
        limit = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
        written = template.resources[name]["Properties"].get("ScalingConfig", {})
        if not isinstance(limit, int) or "Ref" not in json.dumps(written):
            yield f"{name}: has no maximum concurrency that a parameter sets"


def messages_stay_hidden_while_worked_on(template: Expanded) -> Iterator[str]:
    """A queue hides a message for six times the timeout of the function it feeds (AWS's advice)."""
    queues, functions = template.of_type("AWS::SQS::Queue"), template.of_type("AWS::Lambda::Function")
    for name, mapping in template.of_type("AWS::Lambda::EventSourceMapping").items():
        queue = mapping["EventSourceArn"].removeprefix("<").removesuffix(".Arn>")
        function = mapping["FunctionName"].removeprefix("<").removesuffix("Aliaslive>")
        if queues[queue].get("VisibilityTimeout", 30) < 6 * functions[function]["Timeout"]:
            yield f"{name}: a message comes again while {function} may still work on it"


def policies_name_what_they_allow(template: Expanded) -> Iterator[str]:
    """No role allows an action or a resource by wildcard, and none is widened by a managed policy."""
    for name, role in template.of_type("AWS::IAM::Role").items():
        for policy in role.get("ManagedPolicyArns", []):
            if not policy.endswith(MANAGED_POLICY):
                yield f"{name}: has the managed policy {policy}"
        for statement in granted(template, name):
            actions = set(_list(statement.get("Action", "*")))
            resources = json.dumps(statement.get("Resource", "*"))
            if "*" in json.dumps(sorted(actions)) + resources:
                yield f"{name}: allows by wildcard in {statement.get('Sid')}"


def policies_stand_alone(template: Expanded) -> Iterator[str]:
    """What adds to a role stands in this template and names that role alone: `granted` sees it."""
    for name, policy in template.of_type("AWS::IAM::Policy").items():
        roles = [template.resources.get(role.strip("<>"), {}).get("Type") for role in policy.get("Roles", [])]
        if roles != ["AWS::IAM::Role"] or policy.get("Users") or policy.get("Groups"):
            yield f"{name}: is a policy of something else than one role of this template"
    for name in template.of_type("AWS::IAM::RolePolicy"):
        yield f"{name}: is a policy that nothing here looks at"


#: Actions that IAM grants on everything or not at all.
KNOW_NO_RESOURCES = frozenset({"cloudwatch:GetMetricData"})


def people_are_given_little(template: Expanded) -> Iterator[str]:
    """A policy for people names actions and resources of this stack, no secret, and nobody."""
    for name, policy in template.of_type("AWS::IAM::ManagedPolicy").items():
        if policy.keys() & {"Roles", "Users", "Groups"}:
            yield f"{name}: is attached to somebody"
        for statement in _statements(policy):
            actions, resources = _list(statement["Action"]), _list(statement["Resource"])
            if any("*" in action or action.startswith("secretsmanager:") for action in actions):
                yield f"{name}: lets people do more than operating in {statement['Sid']}"
            if KNOW_NO_RESOURCES.issuperset(actions):
                continue
            if not all(OF_THIS_STACK.search(resource) for resource in resources):
                yield f"{name}: reaches beyond this stack in {statement['Sid']}"


def set_operators_ask_for_their_key(template: Expanded) -> Iterator[str]:
    """A condition on all values of a key holds for a request without the key, unless `Null` forbids that."""
    for name, statement in _all_granted(template):
        condition = statement.get("Condition", {})
        for operator, keys in condition.items():
            if operator.startswith("ForAllValues:") and not all(
                condition.get("Null", {}).get(key) == "false" for key in keys
            ):
                yield f"{name}: {statement.get('Sid')} holds for a request without its key"


def outcomes_come_from_the_handler_only(template: Expanded) -> Iterator[str]:
    """Whoever may put events may do so on the accounting bus and under the handler's name only."""
    for name, statement in _all_granted(template):
        if "events:PutEvents" not in _list(statement["Action"]):
            continue
        sources = statement.get("Condition", {}).get("ForAllValues:StringEquals")
        if (statement["Resource"], sources) != ("<AccountingBus.Arn>", {"events:source": "refund-handler"}):
            yield f"{name}: may put events that are not outcomes"


def ledger_writes_are_confined(template: Expanded) -> Iterator[str]:
    """Whoever may write to the ledger may do so under keys that are named, and nobody may delete.

    People are kept from the counts of the hour.
    """
    for name, statement in _all_granted(template):
        actions = set(_list(statement["Action"]))
        if {one for one in actions if one.startswith("dynamodb:")} & DELETING:
            yield f"{name}: takes items out of the ledger"
        condition = statement.get("Condition", {})
        keys = condition.get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
        person = template.resources[name]["Type"] == "AWS::IAM::ManagedPolicy"
        spared = condition.get("ForAllValues:StringNotLike", {}).get("dynamodb:LeadingKeys", [])
        named = bool(keys) and all("#" in key for key in keys)
        confined = named or (person and "guard#*" in spared)
        if actions & WRITING and not confined:
            yield f"{name}: may write anything to the ledger in {statement.get('Sid')}"


def requeueing_is_no_loop(template: Expanded) -> Iterator[str]:
    """Who feeds its own queue or invokes itself is not stopped as a loop; everybody else is."""
    fed = {
        mapping["FunctionName"].removeprefix("<").removesuffix("Aliaslive>"): mapping["EventSourceArn"]
        for mapping in template.of_type("AWS::Lambda::EventSourceMapping").values()
    }
    for name, function in template.of_type("AWS::Lambda::Function").items():
        role = function["Role"].removeprefix("<").removesuffix(".Arn>")
        requeues = any(
            "sqs:SendMessage" in _list(one["Action"]) and fed.get(name) in _list(one["Resource"])
            for one in granted(template, role)
        )
        invokes_itself = any(
            "lambda:InvokeFunction" in _list(one["Action"]) and f"<{name}.Arn>" in _list(one["Resource"])
            for one in granted(template, role)
        )
        if (function.get("RecursiveLoop") == "Allow") != (requeues or invokes_itself):
            yield f"{name}: is {'' if requeues else 'not '}stopped by Lambda's recursion detection"


def state_outlives_the_stack(template: Expanded) -> Iterator[str]:
    """Tables, queues and secrets are retained when the stack goes or they are replaced."""
    for name, resource in template.resources.items():
        if resource["Type"] in KEPT and not (
            resource.get("DeletionPolicy") in {"Retain", "RetainExceptOnCreate"}
            and resource.get("UpdateReplacePolicy") == "Retain"
        ):
            yield f"{name}: goes with the stack"


def tables_can_be_restored(template: Expanded) -> Iterator[str]:
    """Every table is encrypted and can be restored to any point in time."""
    for name, table in template.of_type("AWS::DynamoDB::Table").items():
        if table.get("PointInTimeRecoverySpecification") != {"PointInTimeRecoveryEnabled": True}:
            yield f"{name}: cannot be restored to a point in time"
        if table.get("SSESpecification", {}).get("SSEEnabled") is not True:
            yield f"{name}: is not encrypted under a key whose use is recorded"


def functions_log_where_the_template_says(template: Expanded) -> Iterator[str]:
    """Every function writes to a log group of its own, which is kept for a time that is given."""
    groups = template.of_type("AWS::Logs::LogGroup")
    named = [
        function.get("LoggingConfig", {}).get("LogGroup")
        for function in template.of_type("AWS::Lambda::Function").values()
    ]
    for name, function in template.of_type("AWS::Lambda::Function").items():
        group = function.get("LoggingConfig", {}).get("LogGroup", "")
        if group.strip("<>") not in groups or named.count(group) > 1:
            yield f"{name}: has no log group of its own"
    for name, properties in groups.items():
        if not properties.get("RetentionInDays"):
            yield f"{name}: is kept for ever"


def functions_have_their_own_role(template: Expanded) -> Iterator[str]:
    """No two functions share a role, and only Lambda may assume one."""
    roles = [function["Role"] for function in template.of_type("AWS::Lambda::Function").values()]
    for name, function in template.of_type("AWS::Lambda::Function").items():
        role = function["Role"].removeprefix("<").removesuffix(".Arn>")
        trust = template.properties(role)["AssumeRolePolicyDocument"]["Statement"]
        if roles.count(function["Role"]) > 1 or [one["Principal"] for one in trust] != [
            {"Service": "lambda.amazonaws.com"}
        ]:
            yield f"{name}: shares {role}"


def functions_are_safe_by_default(template: Expanded) -> Iterator[str]:
    """Published, without a trace that ends half-way, and without a switch that weakens safety."""
    for name, function in template.of_type("AWS::Lambda::Function").items():
        variables = function["Environment"]["Variables"]
        switches = {key for key in variables if key.startswith("POWERTOOLS_")}
        harmless = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOGGER_LOG_EVENT"}
        if switches - harmless or variables.get("POWERTOOLS_LOGGER_LOG_EVENT") != "false":
            yield f"{name}: has switches of Powertools that weaken safety"
        if "TracingConfig" in function:
            yield f"{name}: is traced, and the trace ends before the outcome"
        if f"{name}Aliaslive" not in template.resources:
            yield f"{name}: is not published under an alias"


def functions_are_invoked_by_rules_only(template: Expanded) -> Iterator[str]:
    """Nothing but a schedule of this template may invoke a function from outside its account's roles."""
    for name in template.of_type("AWS::Lambda::Url"):
        yield f"{name}: is an address that anybody can call"
    for name, permission in template.of_type("AWS::Lambda::Permission").items():
        rule = permission.get("SourceArn", "").removeprefix("<").removesuffix(".Arn>")
        if permission["Principal"] != "events.amazonaws.com" or rule not in template.of_type(
            "AWS::Events::Rule"
        ):
            yield f"{name}: lets {permission['Principal']} invoke a function"


def what_cannot_be_delivered_is_kept(template: Expanded) -> Iterator[str]:
    """A rule's target that is a queue has a dead-letter queue for what does not get there."""
    for name, rule in template.of_type("AWS::Events::Rule").items():
        for target in rule["Targets"]:
            to = target["Arn"].removeprefix("<").removesuffix(".Arn>")
            if template.resources.get(to, {}).get("Type") == "AWS::SQS::Queue" and not target.get(
                "DeadLetterConfig"
            ):
                yield f"{name}: what cannot be delivered to {to} is lost"


RULES: list[Rule] = [
    queues_end_in_a_dead_letter_queue,
    queues_are_encrypted,
    queues_refuse_plain_http,
    queues_take_from_one_rule,
    retentions_are_in_order,
    mappings_report_partial_failures,
    messages_stay_hidden_while_worked_on,
    policies_name_what_they_allow,
    policies_stand_alone,
    people_are_given_little,
    set_operators_ask_for_their_key,
    outcomes_come_from_the_handler_only,
    ledger_writes_are_confined,
    requeueing_is_no_loop,
    state_outlives_the_stack,
    tables_can_be_restored,
    functions_log_where_the_template_says,
    functions_have_their_own_role,
    functions_are_safe_by_default,
    functions_are_invoked_by_rules_only,
    what_cannot_be_delivered_is_kept,
]


def dead_letter_queues(template: Expanded) -> dict[str, list[str]]:
    """Logical ids of the dead-letter queues, and of the queues that redrive to each."""
    sources: dict[str, list[str]] = {}
    for name, queue in template.of_type("AWS::SQS::Queue").items():
        target = queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")
        if target is not None:
            sources.setdefault(target.removeprefix("<").removesuffix(".Arn>"), []).append(name)
    return sources


def _statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


def granted(template: Expanded, role: str) -> Iterator[dict[str, Any]]:
    """What a role allows: its own statements, and those of policies beside it."""
    inline = template.properties(role).get("Policies", [])
    beside = template.of_type("AWS::IAM::Policy").values()
    for policy in [*inline, *(one for one in beside if f"<{role}>" in one.get("Roles", []))]:
        yield from (one for one in _statements(policy) if one["Effect"] == "Allow")


def _all_granted(template: Expanded) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement that allows something, with the role or the policy for people that it belongs to."""
    for name in template.of_type("AWS::IAM::Role"):
        yield from ((name, statement) for statement in granted(template, name))
    for name, policy in template.of_type("AWS::IAM::ManagedPolicy").items():
        yield from ((name, statement) for statement in _statements(policy))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
