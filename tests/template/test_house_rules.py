"""The template keeps the house rules, and each rule is broken by what it is there to prevent."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.template import house_rules
from tests.template.expanded import Expanded
from tests.template.house_rules import RULES, Rule

Resources = dict[str, Any]
Breach = Callable[[Resources], object]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_template_keeps_the_rule(expanded: Expanded, rule: Rule) -> None:
    """Nothing in the template breaks a house rule."""
    assert list(rule(expanded)) == []


def of(resources: Resources, name: str) -> Any:
    """A resource's properties."""
    return resources[name]["Properties"]


def statement(resources: Resources, role: str, sid: str) -> Any:
    policy = of(resources, role)
    document = policy["Policies"][0]["PolicyDocument"] if "Policies" in policy else policy["PolicyDocument"]
    statements = document["Statement"]
    return next(one for one in statements if one.get("Sid") == sid)


def publishing(resources: Resources) -> Any:
    return statement(resources, ROLE, "PublishOutcomes")["Condition"]["ForAllValues:StringEquals"]


def keys_of(resources: Resources, role: str) -> Any:
    condition = statement(resources, role, "KeepLedger")["Condition"]
    return condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]


def add(resources: Resources, name: str, type_name: str, **properties: object) -> None:
    resources[name] = {"Type": type_name, "Properties": properties}


QUEUE, DLQ, MAPPING = "PaymentCancelQueue", "PaymentCancelDlq", "PaymentCancelFunctionQueue"
POLICY, ROLE, FUNCTION = "PaymentCancelQueuePolicy", "PaymentCancelRole", "SweeperFunction"
SWEEPS = "PaymentCancelSweeperPolicy"

BREACHES: dict[str, list[tuple[str, Breach]]] = {
    "queues_end_in_a_dead_letter_queue": [
        ("NewQueue", lambda all_: add(all_, "NewQueue", "AWS::SQS::Queue")),
        (DLQ, lambda all_: of(all_, DLQ).pop("RedriveAllowPolicy")),
        (DLQ, lambda all_: of(all_, DLQ)["RedriveAllowPolicy"].update(redrivePermission="allowAll")),
        (DLQ, lambda all_: of(all_, DLQ)["RedriveAllowPolicy"]["sourceQueueArns"].append("arn:aws:sqs:::x")),
    ],
    "queues_are_encrypted": [(DLQ, lambda all_: of(all_, DLQ).update(SqsManagedSseEnabled=False))],
    "queues_refuse_plain_http": [
        (QUEUE, lambda all_: of(all_, POLICY)["PolicyDocument"]["Statement"].pop()),
        (
            QUEUE,
            lambda all_: of(all_, POLICY)["PolicyDocument"]["Statement"][1].update(Action="sqs:SendMessage"),
        ),
        ("NewQueue", lambda all_: add(all_, "NewQueue", "AWS::SQS::Queue")),
    ],
    "queues_take_from_one_rule": [
        (POLICY, lambda all_: of(all_, POLICY)["PolicyDocument"]["Statement"][0].update(Principal="*")),
        (POLICY, lambda all_: of(all_, POLICY)["PolicyDocument"]["Statement"][0].pop("Condition")),
        (POLICY, lambda all_: of(all_, POLICY)["PolicyDocument"]["Statement"][0].update(Action="sqs:*")),
    ],
    "retentions_are_in_order": [
        (DLQ, lambda all_: of(all_, DLQ).update(MessageRetentionPeriod=345_600)),
        (DLQ, lambda all_: of(all_, QUEUE).update(MessageRetentionPeriod=1_209_600)),
        (DLQ, lambda all_: of(all_, QUEUE).update(MessageRetentionPeriod=400_000)),
        (DLQ, lambda all_: of(all_, QUEUE).update(MaximumMessageSize=1_048_576)),
    ],
    "mappings_report_partial_failures": [
        (MAPPING, lambda all_: of(all_, MAPPING).pop("FunctionResponseTypes")),
        (MAPPING, lambda all_: of(all_, MAPPING).pop("ScalingConfig")),
        (MAPPING, lambda all_: of(all_, MAPPING).update(ScalingConfig={"MaximumConcurrency": 10})),
    ],
    "messages_stay_hidden_while_worked_on": [
        (MAPPING, lambda all_: of(all_, QUEUE).update(VisibilityTimeout=539)),
        (MAPPING, lambda all_: of(all_, "PaymentCancelFunction").update(Timeout=900)),
    ],
    "policies_name_what_they_allow": [
        (ROLE, lambda all_: statement(all_, ROLE, "KeepLedger").update(Action="dynamodb:*")),
        (ROLE, lambda all_: statement(all_, ROLE, "KeepLedger").update(Resource="*")),
        (
            ROLE,
            lambda all_: statement(all_, ROLE, "AskLedger").update(
                Resource={"Fn::Sub": "${LedgerTable.Arn}/*"}
            ),
        ),
        (ROLE, lambda all_: statement(all_, ROLE, "KeepLedger").pop("Action")),
        (
            ROLE,
            lambda all_: of(all_, ROLE).update(ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
        ),
    ],
    "policies_stand_alone": [
        ("NewPolicy", lambda all_: add(all_, "NewPolicy", "AWS::IAM::Policy")),
        ("NewPolicy", lambda all_: add(all_, "NewPolicy", "AWS::IAM::RolePolicy")),
        (SWEEPS, lambda all_: of(all_, SWEEPS)["Roles"].append({"Ref": ROLE})),
        (SWEEPS, lambda all_: of(all_, SWEEPS).update(Users=["somebody"])),
    ],
    "people_are_given_little": [
        ("OperatorReadPolicy", lambda all_: of(all_, "OperatorReadPolicy").update(Users=["somebody"])),
        (
            "OperatorReadPolicy",
            lambda all_: statement(all_, "OperatorReadPolicy", "ReadLedger").update(Action="dynamodb:*"),
        ),
        (
            "OperatorReadPolicy",
            lambda all_: statement(all_, "OperatorReadPolicy", "ReadLedger").update(
                Action="secretsmanager:GetSecretValue"
            ),
        ),
        (
            "OperatorReadPolicy",
            lambda all_: statement(all_, "OperatorReadPolicy", "MeasureQueues").update(Resource="*"),
        ),
    ],
    "set_operators_ask_for_their_key": [
        (ROLE, lambda all_: statement(all_, ROLE, "KeepLedger")["Condition"].pop("Null")),
        (ROLE, lambda all_: statement(all_, ROLE, "PublishOutcomes")["Condition"].pop("Null")),
        ("SweeperRole", lambda all_: statement(all_, SWEEPS, "KeepLedger")["Condition"].pop("Null")),
        (
            "OperatorResolvePolicy",
            lambda all_: statement(all_, "OperatorResolvePolicy", "KeepLedger")["Condition"]["Null"].clear(),
        ),
    ],
    "requeueing_is_no_loop": [
        ("PaymentCancelFunction", lambda all_: of(all_, "PaymentCancelFunction").pop("RecursiveLoop")),
        (FUNCTION, lambda all_: of(all_, FUNCTION).pop("RecursiveLoop")),
        ("DlqReplayFunction", lambda all_: of(all_, "DlqReplayFunction").update(RecursiveLoop="Allow")),
    ],
    "outcomes_come_from_the_handler_only": [
        (ROLE, lambda all_: statement(all_, ROLE, "PublishOutcomes").pop("Condition")),
        (ROLE, lambda all_: publishing(all_).update({"events:source": "*"})),
        (
            ROLE,
            lambda all_: statement(all_, ROLE, "PublishOutcomes").update(
                Resource={"Fn::GetAtt": ["OrderBus", "Arn"]}
            ),
        ),
    ],
    "ledger_writes_are_confined": [
        (ROLE, lambda all_: statement(all_, ROLE, "KeepLedger").pop("Condition")),
        (ROLE, lambda all_: statement(all_, ROLE, "ReadLedger").update(Action="dynamodb:UpdateItem")),
        (ROLE, lambda all_: statement(all_, ROLE, "ReadLedger").update(Action="dynamodb:DeleteItem")),
        ("SweeperRole", lambda all_: keys_of(all_, SWEEPS).append("*")),
        (
            "OperatorResolvePolicy",
            lambda all_: statement(all_, "OperatorResolvePolicy", "KeepLedger").pop("Condition"),
        ),
    ],
    "state_outlives_the_stack": [
        ("LedgerTable", lambda all_: all_["LedgerTable"].pop("DeletionPolicy")),
        (QUEUE, lambda all_: all_[QUEUE].update(UpdateReplacePolicy="Delete")),
        ("NewTable", lambda all_: add(all_, "NewTable", "AWS::DynamoDB::Table")),
    ],
    "tables_can_be_restored": [
        ("LedgerTable", lambda all_: of(all_, "LedgerTable").pop("PointInTimeRecoverySpecification")),
        ("LedgerTable", lambda all_: of(all_, "LedgerTable").update(SSESpecification={"SSEEnabled": False})),
    ],
    "functions_log_where_the_template_says": [
        (FUNCTION, lambda all_: of(all_, FUNCTION).pop("LoggingConfig")),
        (
            FUNCTION,
            lambda all_: of(all_, FUNCTION).update(LoggingConfig={"LogGroup": {"Ref": "ReconcileLogGroup"}}),
        ),
        ("SweeperLogGroup", lambda all_: of(all_, "SweeperLogGroup").pop("RetentionInDays")),
    ],
    "functions_have_their_own_role": [
        (FUNCTION, lambda all_: of(all_, FUNCTION).update(Role={"Fn::GetAtt": [ROLE, "Arn"]})),
    ],
    "functions_are_safe_by_default": [
        (FUNCTION, lambda all_: of(all_, FUNCTION)["Environment"]["Variables"].update(POWERTOOLS_DEV="true")),
        (
            FUNCTION,
            lambda all_: of(all_, FUNCTION)["Environment"]["Variables"].update(
                POWERTOOLS_LOGGER_LOG_EVENT="true"
            ),
        ),
        (FUNCTION, lambda all_: of(all_, FUNCTION).update(TracingConfig={"Mode": "Active"})),
        (FUNCTION, lambda all_: all_.pop("SweeperFunctionAliaslive")),
    ],
    "functions_are_invoked_by_rules_only": [
        ("NewUrl", lambda all_: add(all_, "NewUrl", "AWS::Lambda::Url", AuthType="NONE")),
        ("NewPermission", lambda all_: add(all_, "NewPermission", "AWS::Lambda::Permission", Principal="*")),
    ],
    "what_cannot_be_delivered_is_kept": [
        (
            "PaymentCancelRule",
            lambda all_: of(all_, "PaymentCancelRule")["Targets"][0].pop("DeadLetterConfig"),
        ),
    ],
}
PLANTED = [
    pytest.param(rule, culprit, breach, id=f"{rule}-{number}")
    for rule, breaches in BREACHES.items()
    for number, (culprit, breach) in enumerate(breaches)
]


@pytest.mark.parametrize(("rule", "culprit", "breach"), PLANTED)
def test_a_breach_is_found(expanded: Expanded, rule: str, culprit: str, breach: Breach) -> None:
    """What a house rule forbids is told, with the name of the resource."""
    template = copy.deepcopy(expanded.template)
    breach(template["Resources"])
    found = list(getattr(house_rules, rule)(Expanded(template)))
    assert [one.partition(":")[0] for one in found].count(culprit) >= 1, found


def test_no_rule_goes_untried() -> None:
    """Every rule has a breach that shows it can fail."""
    assert {rule.__name__ for rule in RULES} == BREACHES.keys()
