"""Assertions on the template as CloudFormation gets it, with the production defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from refunds.ledger.hourly_count import KEY_PREFIX
from tests.template.cancel_types import CANCEL_TYPES, OPERATORS, CancelType
from tests.template.conftest import PROJECT, expand
from tests.template.expanded import Expanded
from tests.template.expansion import unrolled
from tests.template.house_rules import granted

DAY = 86400
each_cancel_type = pytest.mark.parametrize("cancel_type", CANCEL_TYPES, ids=lambda found: found.name)


@each_cancel_type
def test_rule_selects_its_events(expanded: Expanded, cancel_type: CancelType) -> None:
    """A cancel type's rule on the order bus takes its detail-type from the order service and nothing else."""
    rule = expanded.properties(f"{cancel_type.pascal}Rule")
    assert rule["EventBusName"] == "<OrderBus>"
    assert rule["EventPattern"] == {
        "source": ["order-service"],
        "account": ["<AWS::AccountId>"],
        "detail-type": [f"{cancel_type.pascal}Requested"],
    }


@each_cancel_type
def test_undeliverable_events_reach_the_dead_letter_queue(
    expanded: Expanded, cancel_type: CancelType
) -> None:
    """Rule target, queue and asynchronous invocation all end in the same dead-letter queue."""
    dlq = f"<{cancel_type.pascal}Dlq.Arn>"
    (target,) = expanded.properties(f"{cancel_type.pascal}Rule")["Targets"]
    queue = expanded.properties(f"{cancel_type.pascal}Queue")
    function = expanded.properties(f"{cancel_type.pascal}Function")
    assert target["Arn"] == f"<{cancel_type.pascal}Queue.Arn>"
    assert target["DeadLetterConfig"] == {"Arn": dlq}
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == dlq
    assert function["DeadLetterConfig"] == {"TargetArn": dlq}
    asynchronous = expanded.properties(f"{cancel_type.pascal}FunctionEventInvokeConfig")
    assert not asynchronous["DestinationConfig"], "a destination would wrap the event it takes"


@each_cancel_type
def test_messages_get_enough_attempts(expanded: Expanded, cancel_type: CancelType) -> None:
    """A message is received at least five times, and the function knows how often."""
    queue = expanded.properties(f"{cancel_type.pascal}Queue")
    variables = expanded.properties(f"{cancel_type.pascal}Function")["Environment"]["Variables"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    assert variables["MAX_RECEIVE_COUNT"] == queue["RedrivePolicy"]["maxReceiveCount"]


@each_cancel_type
def test_dead_letter_queue_remembers_longest(expanded: Expanded, cancel_type: CancelType) -> None:
    """A dead-letter queue keeps messages for 14 days, longer than the queue, and the ledger even longer."""
    queue = expanded.properties(f"{cancel_type.pascal}Queue")["MessageRetentionPeriod"]
    dlq = expanded.properties(f"{cancel_type.pascal}Dlq")["MessageRetentionPeriod"]
    variables = expanded.properties(f"{cancel_type.pascal}Function")["Environment"]["Variables"]
    assert dlq == 14 * DAY > queue
    assert queue + dlq <= variables["RETENTION_DAYS_TOTAL"] * DAY
    assert variables["RETENTION_DAYS_TOTAL"] <= variables["LEDGER_TTL_DAYS"]


@each_cancel_type
def test_dead_letter_queue_has_room_for_the_reason(expanded: Expanded, cancel_type: CancelType) -> None:
    """Whatever the queue takes fits into the dead-letter queue together with 64 KiB of attributes."""
    queue = expanded.properties(f"{cancel_type.pascal}Queue")["MaximumMessageSize"]
    dlq = expanded.properties(f"{cancel_type.pascal}Dlq")["MaximumMessageSize"]
    assert 256 * 1024 < queue <= dlq - 64 * 1024


@each_cancel_type
def test_dead_letter_queue_takes_from_its_queue_only(expanded: Expanded, cancel_type: CancelType) -> None:
    """No other queue can name a cancel type's dead-letter queue as its own."""
    allowed = expanded.properties(f"{cancel_type.pascal}Dlq")["RedriveAllowPolicy"]
    name = expanded.properties(f"{cancel_type.pascal}Queue")["QueueName"]
    assert allowed["redrivePermission"] == "byQueue"
    (source,) = allowed["sourceQueueArns"]
    assert source.split(":")[-1] == name.split(":")[-1]


@each_cancel_type
def test_visibility_outlasts_the_function(expanded: Expanded, cancel_type: CancelType) -> None:
    """A message stays invisible for at least six times the function's timeout."""
    queue = expanded.properties(f"{cancel_type.pascal}Queue")
    function = expanded.properties(f"{cancel_type.pascal}Function")
    assert (
        queue["VisibilityTimeout"] == expanded.parameters[f"{cancel_type.pascal}VisibilityTimeout"]["Default"]
    )
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]


@each_cancel_type
def test_mapping_reports_partial_failures(expanded: Expanded, cancel_type: CancelType) -> None:
    """Batches of ten report the messages that failed, at a limited concurrency given as a number."""
    logical_id = f"{cancel_type.pascal}FunctionQueue"
    mapping = expanded.properties(logical_id)
    assert mapping["EventSourceArn"] == f"<{cancel_type.pascal}Queue.Arn>"
    assert mapping["FunctionName"] == f"<{cancel_type.pascal}FunctionAliaslive>"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 10
    assert type(mapping["ScalingConfig"]["MaximumConcurrency"]) is int
    concurrency = expanded.resources[logical_id]["Properties"]["ScalingConfig"]["MaximumConcurrency"]
    assert concurrency.keys() == {"Fn::FindInMap"}, "a parameter by Ref is text: MiniStack's poller stops"


@each_cancel_type
def test_function_runs_its_own_folder_on_the_layer(
    source: dict[str, Any], expanded: Expanded, cancel_type: CancelType
) -> None:
    """A function is its folder's app.handler on the shared layer, python3.13 on arm64 by default."""
    function = expanded.properties(f"{cancel_type.pascal}Function")
    assert (
        unrolled(source)["Resources"][f"{cancel_type.pascal}Function"]["Properties"]["CodeUri"]
        == "functions/"
    )
    assert (PROJECT / "functions" / cancel_type.name / "app.py").exists()
    assert (function["Handler"], function["Runtime"], function["Architectures"]) == (
        f"{cancel_type.name}.app.handler",
        "python3.13",
        ["arm64"],
    )
    (layer,) = expanded.of_type("AWS::Lambda::LayerVersion")
    assert function["Layers"] == [f"<{layer}>"]


@each_cancel_type
def test_function_knows_its_queues(expanded: Expanded, cancel_type: CancelType) -> None:
    """A function gets the URLs of its own queue and dead-letter queue."""
    variables = expanded.properties(f"{cancel_type.pascal}Function")["Environment"]["Variables"]
    assert variables["QUEUE_URL"] == f"<{cancel_type.pascal}Queue>"
    assert variables["DLQ_URL"] == f"<{cancel_type.pascal}Dlq>"


def test_time_limits_nest(expanded: Expanded) -> None:
    """A lookup, a full send and the record of its outcome fit into one invocation."""
    function = expanded.properties("PaymentCancelFunction")
    seconds = {
        name: float(function["Environment"]["Variables"][f"{name}_TIMEOUT_SECONDS"])
        for name in ("CONNECT", "LOOKUP", "READ")
    }
    assert 2 * seconds["CONNECT"] + seconds["LOOKUP"] + seconds["READ"] + 5 <= function["Timeout"]


@each_cancel_type
def test_every_function_has_its_own_role(expanded: Expanded, cancel_type: CancelType) -> None:
    """A function's role serves no other, only Lambda may assume it, and no managed policy widens it."""
    functions = expanded.of_type("AWS::Lambda::Function")
    role_name = f"{cancel_type.pascal}Role"
    users = [name for name, function in functions.items() if function["Role"] == f"<{role_name}.Arn>"]
    assert users == [f"{cancel_type.pascal}Function"]
    role = expanded.properties(role_name)
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert "ManagedPolicyArns" not in role
    assert len(expanded.of_type("AWS::IAM::Role")) == len(functions) + len({"DeploymentRole"})


@each_cancel_type
def test_role_reaches_its_own_resources_only(expanded: Expanded, cancel_type: CancelType) -> None:
    """A role allows exactly what its function does, on its own queues and the shared resources."""
    (policy,) = expanded.properties(f"{cancel_type.pascal}Role")["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    granted: dict[str, list[str]] = {}
    for statement in statements:
        for action in as_list(statement["Action"]):
            granted.setdefault(action, []).extend(as_list(statement["Resource"]))
    queue, dlq = [f"<{cancel_type.pascal}Queue.Arn>"], [f"<{cancel_type.pascal}Dlq.Arn>"]
    log_group, ledger = [f"<{cancel_type.pascal}LogGroup.Arn>"], ["<LedgerTable.Arn>"]
    assert granted == {
        "sqs:ReceiveMessage": queue,
        "sqs:DeleteMessage": queue,
        "sqs:ChangeMessageVisibility": queue,
        "sqs:GetQueueAttributes": queue,
        "sqs:SendMessage": dlq + queue,
        "dynamodb:GetItem": ledger,
        "dynamodb:BatchGetItem": ledger,
        "dynamodb:PutItem": ledger * 2,
        "dynamodb:UpdateItem": ledger,
        "dynamodb:Query": ["<LedgerTable.Arn>/index/by_payment", "<LedgerTable.Arn>/index/by_order"],
        "secretsmanager:GetSecretValue": ["<ProviderSecret.Id>"],
        "events:PutEvents": ["<AccountingBus.Arn>"],
        "logs:CreateLogStream": log_group,
        "logs:PutLogEvents": log_group,
    }
    conditions = {one["Sid"]: one["Condition"] for one in statements if "Condition" in one}
    own_items = [f"{cancel_type.name}#*", f"{KEY_PREFIX}{cancel_type.name}#*"]
    assert conditions == {
        "PublishOutcomes": {
            "ForAllValues:StringEquals": {"events:source": "refund-handler"},
            "Null": {"events:source": "false"},
        },
        "KeepLedger": {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": own_items},
            "Null": {"dynamodb:LeadingKeys": "false"},
        },
        "HoldEntries": {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["entry#*"]},
            "Null": {"dynamodb:LeadingKeys": "false"},
        },
    }
    (keep,) = (one for one in statements if one["Sid"] == "KeepLedger")
    assert keep["Action"] == ["dynamodb:PutItem", "dynamodb:UpdateItem"]


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_functions_have_what_they_need_and_no_more(expanded: Expanded, name: str) -> None:
    """Reconciliation touches no queue, only the sweeper publishes, and each has its own role."""
    assert expanded.properties(f"{name}Function")["Role"] == f"<{name}Role.Arn>"
    actions = {action for one in granted(expanded, f"{name}Role") for action in as_list(one["Action"])}
    assert any(action.startswith("sqs:") for action in actions) == (name != "Reconcile")
    assert ("events:PutEvents" in actions) == (name == "Sweeper")


def test_the_sweeper_reaches_dead_letters_and_no_queue(expanded: Expanded) -> None:
    """It takes, copies and removes dead letters of every type, and never puts one where it would be sent."""
    found = granted(expanded, "SweeperRole")
    sqs = {
        (action, resource)
        for one in found
        for action in as_list(one["Action"])
        for resource in as_list(one["Resource"])
        if action.startswith("sqs:")
    }
    wanted = (
        "ReceiveMessage",
        "DeleteMessage",
        "ChangeMessageVisibility",
        "GetQueueAttributes",
        "SendMessage",
    )
    assert sqs == {(f"sqs:{action}", f"<{kind.pascal}Dlq.Arn>") for action in wanted for kind in CANCEL_TYPES}


def test_the_sweeper_writes_requests_and_held_entries_only(expanded: Expanded) -> None:
    """It updates items of the cancel types, and makes none but what holds an entry of a provider's books."""
    written = {
        (action, key)
        for one in granted(expanded, "SweeperRole")
        for action in as_list(one["Action"])
        for key in one.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
        if action in {"dynamodb:PutItem", "dynamodb:UpdateItem"}
    }
    own = {("dynamodb:UpdateItem", f"{kind.name}#*") for kind in CANCEL_TYPES}
    assert written == own | {("dynamodb:PutItem", "entry#*")}
    writing = [
        one
        for one in granted(expanded, "SweeperRole")
        if {"dynamodb:PutItem", "dynamodb:UpdateItem"} & set(as_list(one["Action"]))
    ]
    assert all(one["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"} for one in writing)


def test_whoever_replays_holds_no_entry(expanded: Expanded) -> None:
    """What a provider's entry proves is decided by who ends a request: neither replay nor comparison."""
    for name in ("DlqReplay", "Reconcile"):
        actions = {action for one in granted(expanded, f"{name}Role") for action in as_list(one["Action"])}
        assert "dynamodb:PutItem" not in actions


#: Every right that a command of refundctl needs, by the policy that gives it; all want the first, too.
OPERATORS_RIGHTS = {
    "Read": {
        "cloudformation:DescribeStacks",
        "lambda:GetFunctionConfiguration",
        "dynamodb:GetItem",
        "dynamodb:BatchGetItem",
        "dynamodb:Query",
        "sqs:GetQueueAttributes",
        "cloudwatch:GetMetricData",  # refundctl queues
        "sqs:ReceiveMessage",
        "sqs:ChangeMessageVisibility",
    },
    "Replay": {"lambda:InvokeFunction"},
    "Resolve": {
        "lambda:InvokeFunction",  # asks
        "sqs:DeleteMessage",  # refundctl dlq discard
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "events:PutEvents",
    },
}


@pytest.mark.parametrize(("name", "rights"), OPERATORS_RIGHTS.items(), ids=OPERATORS_RIGHTS)
def test_operators_are_given_what_their_commands_need(
    expanded: Expanded, name: str, rights: set[str]
) -> None:
    """No more and no less; what asks a provider is a function that they may invoke."""
    granted_by = {
        one["Sid"]: one for one in expanded.properties(f"Operator{name}Policy")["PolicyDocument"]["Statement"]
    }
    assert {action for one in granted_by.values() for action in as_list(one["Action"])} == rights
    invoked = {
        resource
        for one in granted_by.values()
        if "lambda:InvokeFunction" in as_list(one["Action"])
        for resource in as_list(one["Resource"])
    }
    function = {"Read": None, "Replay": "DlqReplayFunction", "Resolve": "SweeperFunction"}[name]
    assert invoked == ({f"<{function}.Arn>", f"<{function}.Arn>:live"} if function else set())
    if name == "Resolve":
        assert granted_by["DiscardDeadLetters"]["Resource"].endswith("-*-dlq")


def test_nothing_is_allowed_by_wildcard(expanded: Expanded) -> None:
    """No Allow statement names an action or a resource by wildcard, but of actions that know no resources."""
    without_resources = {"Trace", "MeasureAges"}
    allowed = [
        statement
        for statement in statements(expanded)
        if statement["Effect"] == "Allow" and statement.get("Sid") not in without_resources
    ]
    assert len(allowed) > len(CANCEL_TYPES) * 8
    for statement in allowed:
        assert "*" not in json.dumps([statement["Action"], statement.get("Resource")]), statement


@each_cancel_type
@pytest.mark.parametrize("queue", ["Queue", "Dlq"])
def test_queue_lets_its_rule_send_over_tls(expanded: Expanded, cancel_type: CancelType, queue: str) -> None:
    """A queue's policy lets nobody send but its rule, and refuses everything that is not encrypted."""
    logical_id = f"{cancel_type.pascal}{queue}"
    policy = expanded.properties(f"{logical_id}Policy")
    allow, deny = policy["PolicyDocument"]["Statement"]
    assert policy["Queues"] == [f"<{logical_id}>"]
    assert (allow["Effect"], allow["Principal"]) == ("Allow", {"Service": "events.amazonaws.com"})
    assert (allow["Action"], allow["Resource"]) == ("sqs:SendMessage", f"<{logical_id}.Arn>")
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": f"<{cancel_type.pascal}Rule.Arn>"}}
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "sqs:*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_every_queue_is_encrypted(expanded: Expanded) -> None:
    """Messages carry bank accounts: every queue is encrypted at rest."""
    queues = expanded.of_type("AWS::SQS::Queue")
    assert len(queues) == 2 * len(CANCEL_TYPES)
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())


def test_ledger_is_one_durable_table(expanded: Expanded) -> None:
    """The ledger has the keys of the design, backups, encryption, expiry, and survives the stack."""
    (name,) = expanded.of_type("AWS::DynamoDB::Table")
    table = expanded.properties(name)
    indexes = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in table["GlobalSecondaryIndexes"]
    }
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert indexes == {
        "by_payment": ["payment_ref", "pk"],
        "by_order": ["order_id", "pk"],
        "by_day": ["day", "pk"],
        "by_open": ["open", "pk"],
    }
    assert {one["Projection"]["ProjectionType"] for one in table["GlobalSecondaryIndexes"]} == {"KEYS_ONLY"}
    assert defined(table) == used(table)
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}


def test_indexes_change_one_at_a_time(source: dict[str, Any]) -> None:
    """From the previous indexes to the current ones each step adds or takes one: DynamoDB's rule."""
    steps = source["Parameters"]["LedgerIndexes"]["AllowedValues"]
    tables = [expand(source, LedgerIndexes=step).properties("LedgerTable") for step in steps]
    indexes = [{one["IndexName"] for one in table["GlobalSecondaryIndexes"]} for table in tables]
    assert steps[-1] == source["Parameters"]["LedgerIndexes"]["Default"]
    assert indexes[0] == {"by_payment", "by_order", "by_state"}
    assert [len(before ^ after) for before, after in pairwise(indexes)] == [1, 1, 1]
    assert [defined(table) for table in tables] == [used(table) for table in tables]


@pytest.mark.parametrize(
    ("stage", "protected"), [("local", False), ("dev", False), ("stage", True), ("prod", True)]
)
def test_the_ledger_is_protected_where_money_is(source: dict[str, Any], stage: str, protected: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Outside development nobody deletes the table by mistake."""
    assert expand(source, Stage=stage).properties("LedgerTable")["DeletionProtectionEnabled"] is protected


ORDER_SERVICE = "arn:aws:iam::210987654321:role/order-service"


def test_only_the_order_service_publishes_orders(source: dict[str, Any]) -> None:
    """Where its role is known the bus lets it in and nobody else, and the rules ask for its account."""
    known = expand(source, OrderServiceRoleArn=ORDER_SERVICE)
    assert known.holds(known.resources["OrderBusPolicy"]["Condition"])
    allow = known.properties("OrderBusPolicy")["Statement"]
    deny = known.properties("OrderBusGuard")["Statement"]
    bus = "arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:event-bus/<OrderBus>"
    assert (allow["Effect"], allow["Principal"]) == ("Allow", {"AWS": ORDER_SERVICE})
    assert (deny["Effect"], deny["Principal"]) == ("Deny", "*")
    assert deny["Condition"] == {
        "ForAnyValue:StringEquals": {"events:source": "order-service"},
        "ArnNotEquals": {"aws:PrincipalArn": ORDER_SERVICE},
    }
    assert {allow["Resource"], deny["Resource"]} == {bus}
    for cancel_type in CANCEL_TYPES:
        assert known.properties(f"{cancel_type.pascal}Rule")["EventPattern"]["account"] == ["210987654321"]
        variables = known.properties(f"{cancel_type.pascal}Function")["Environment"]["Variables"]
        assert variables["ORDER_EVENT_ACCOUNT"] == "210987654321"


def test_without_the_role_the_bus_has_no_policy(expanded: Expanded) -> None:
    """The bus of one account is for the roles of that account."""
    for name in ("OrderBusPolicy", "OrderBusGuard"):
        assert not expanded.holds(expanded.resources[name]["Condition"])


def test_the_sweeper_runs_often_and_once_a_day(expanded: Expanded) -> None:
    """Every ten minutes over what is open, daily over the day's claims too; reconciliation daily."""
    schedules = {
        name: (rule["ScheduleExpression"], rule["Targets"][0].get("Input"))
        for name, rule in expanded.of_type("AWS::Events::Rule").items()
        if "ScheduleExpression" in rule
    }
    assert schedules == {
        "SweeperFunctionSchedule": ("rate(10 minutes)", None),
        "SweeperFunctionDaily": ("cron(30 18 * * ? *)", '{"daily": true}'),
        "ReconcileFunctionSchedule": ("cron(0 19 * * ? *)", None),
    }


def test_a_pause_is_noticed_before_messages_are_dropped(expanded: Expanded) -> None:
    """The alarm on the oldest message comes days before the queue's retention ends, whatever it is set to."""
    latest = expanded.parameters["OldestMessageAlarmSeconds"]["MaxValue"]
    for cancel_type in CANCEL_TYPES:
        kept = expanded.properties(f"{cancel_type.pascal}Queue")["MessageRetentionPeriod"]
        assert latest <= kept - 3 * DAY


def test_parameters_are_few_and_described(source: dict[str, Any]) -> None:
    """No more than somebody who deploys reads."""
    assert len(source["Parameters"]) <= 45
    assert [name for name, one in source["Parameters"].items() if len(one.get("Description", "")) < 4] == []


def test_nothing_in_flight_goes_with_the_stack(expanded: Expanded) -> None:
    """Deleting the stack, or replacing a resource, keeps ledger, queues and secret."""
    kept = {"AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SecretsManager::Secret"}
    for name, resource in expanded.resources.items():
        if resource["Type"] in kept:
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate", name
            assert resource["UpdateReplacePolicy"] == "Retain", name


def test_logs_are_kept_as_long_as_the_ledger(source: dict[str, Any]) -> None:
    """Every function writes to a log group of the template, with a retention."""
    expanded = expand(source, Stage="prod")
    groups = expanded.of_type("AWS::Logs::LogGroup")
    functions = expanded.of_type("AWS::Lambda::Function")
    assert {function["LoggingConfig"]["LogGroup"] for function in functions.values()} == {
        f"<{name}>" for name in groups
    }
    ttl_days = expanded.parameters["LedgerTtlDays"]["Default"]
    assert all(group["RetentionInDays"] >= ttl_days for group in groups.values())


def test_every_resource_belongs_to_a_block_or_to_all(source: dict[str, Any]) -> None:
    """Beside the blocks there are buses, table, secret, layer, the providers' alarms and deployment."""
    prefixes = (*(cancel_type.pascal for cancel_type in CANCEL_TYPES), *OPERATORS)
    shared = {name for name in unrolled(source)["Resources"] if not name.startswith(prefixes)}
    assert shared == {
        "OrderBus",
        "OrderBusPolicy",
        "OrderBusGuard",
        "OperatorReadPolicy",
        "OperatorReplayPolicy",
        "OperatorResolvePolicy",
        "AccountingBus",
        "LedgerTable",
        "ProviderSecret",
        "RefundsLayer",
        "DeploymentRole",
        "PortOneFailureAlarm",
        "EbpFailureAlarm",
        "LedgerThrottleAlarm",
        "PassedOverAlarm",
        "Dashboard",
    }


def test_outputs_are_the_ones_others_depend_on(expanded: Expanded) -> None:
    """Every output of the design is there and names the right thing."""
    names = {name: expanded.resolve(output["Value"]) for name, output in expanded.outputs.items()}
    expected = {
        "OrderBusName": "<OrderBus>",
        "AccountingBusName": "<AccountingBus>",
        "LedgerTableName": "<LedgerTable>",
        "ProviderSecretArn": "<ProviderSecret.Id>",
    }
    for cancel_type in CANCEL_TYPES:
        expected[f"{cancel_type.pascal}QueueUrl"] = f"<{cancel_type.pascal}Queue>"
        expected[f"{cancel_type.pascal}DlqUrl"] = f"<{cancel_type.pascal}Dlq>"
        expected[f"{cancel_type.pascal}FunctionName"] = f"<{cancel_type.pascal}Function>"
    expected |= {f"{name}FunctionName": f"<{name}Function>" for name in OPERATORS}
    expected |= {f"Operator{may}PolicyArn": f"<Operator{may}Policy>" for may in ("Read", "Replay", "Resolve")}
    assert names == expected


def test_template_deploys_with_defaults_alone(expanded: Expanded) -> None:
    """Every parameter has a default, the design's are among them, and unnamed buses are created."""
    assert all("Default" in parameter for parameter in expanded.parameters.values())
    design = {"PortOneBaseUrl", "EbpBaseUrl", "OrderBusName", "AccountingBusName", "Stage"}
    assert {*design, "PythonRuntime", "Architecture"} <= expanded.parameters.keys()
    assert expanded.parameters["OrderBusName"]["Default"] == ""
    assert expanded.parameters["AccountingBusName"]["Default"] == ""


@pytest.mark.parametrize("given", ["OrderBusName", "AccountingBusName", "ProviderSecretArn"])
def test_given_names_take_the_place_of_created_resources(expanded: Expanded, given: str) -> None:
    """Where a bus or secret is given, everything refers to it and none is created."""
    logical_id = {"OrderBusName": "OrderBus", "AccountingBusName": "AccountingBus"}.get(
        given, "ProviderSecret"
    )
    parameters = expanded.parameters | {given: expanded.parameters[given] | {"Default": "given"}}
    other = Expanded(expanded.template | {"Parameters": parameters})
    users = {name: other.properties(name) for name in other.resources if name != logical_id}
    assert expanded.resources[logical_id]["Condition"] == f"Create{logical_id}"
    assert f"<{logical_id}" not in json.dumps([users, other.resolve(expanded.outputs)])


def test_provider_secret_starts_with_placeholders(expanded: Expanded) -> None:
    """The created secret has the agreed shape and no working credential."""
    secret = json.loads(expanded.properties("ProviderSecret")["SecretString"])
    assert secret == {
        "portone": {"imp_key": "replace-me", "imp_secret": "replace-me"},
        "ebp": {"access_key": "replace-me", "hash_key": "replace-me"},
    }


def defined(table: dict[str, Any]) -> set[str]:
    """The attributes a table declares."""
    return {one["AttributeName"] for one in table["AttributeDefinitions"]}


def used(table: dict[str, Any]) -> set[str]:
    """The attributes that are keys of the table or an index: DynamoDB refuses any other declaration."""
    schemas = [table["KeySchema"], *(one["KeySchema"] for one in table["GlobalSecondaryIndexes"])]
    return {key["AttributeName"] for schema in schemas for key in schema}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(expanded: Expanded) -> Iterator[dict[str, Any]]:
    for role in expanded.of_type("AWS::IAM::Role").values():
        yield from role["AssumeRolePolicyDocument"]["Statement"]
        for policy in role.get("Policies", []):
            yield from policy["PolicyDocument"]["Statement"]
    for policy in expanded.of_type("AWS::SQS::QueuePolicy").values():
        yield from policy["PolicyDocument"]["Statement"]
