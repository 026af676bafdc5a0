"""Does somebody else's Step Functions see in a compiled guardrail what Rectify sees?

    python -m venv .venv-foreign && .venv-foreign/bin/pip install --requirement tests/foreign/requirements.txt
    cargo build --package rectify
    .venv-foreign/bin/python tests/foreign/step_functions.py target/debug/rectify

1. An emulated account and `rectify serve` on it, both guardrails in mode `fix`. Their misconfigurations are made, fixed, and the fixes
   are undone. All that is needed later is read by the Step Functions API of `serve`: definition, inputs, histories.
2. The Step Functions of MiniStack on a second, fresh account: the very same definitions, unchanged; the built-in functions as stub
   Lambdas that answer what the built-ins answered; the same misconfigurations; each execution started with the same name and input.
3. Compared, for fix and undo of each guardrail and each execution in them: status and output; the states in the order in which they
   were entered; what the built-ins and AWS were asked, and what AWS answered, name for name; and the account afterwards.

Ids that AWS gives anew (groups, rules, VPCs) are compared by the order of their first appearance. Prints a line a comparison; exit
status 0 only if all hold. Where MiniStack itself is wrong is told first, shown and mended: see `foreign_engine.py`. MiniStack does
not validate definitions, has no `aws-sdk:s3:putPublicAccessBlock` and no `s3control` (tasks go through botocore here), and leaves
`ExecutedVersion` and the SDK's metadata out of what `lambda:invoke` gives (only its Payload and StatusCode are compared)."""

import configparser
import contextlib
import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import types

import boto3
import botocore.exceptions

HERE = pathlib.Path(__file__).resolve().parent
DEMO = HERE.parent.parent / "tools" / "demo"
sys.path.insert(0, str(DEMO))

import demo
import foreign_engine

ABSENT = object()
# Calls of `Account.arrange` that change something: each becomes an event, and those are not today's.
ARRANGED = 5
FUNCTIONS = ["rectify-ask", "rectify-finding", "rectify-owner", "rectify-tell"]
# One that never had flags, and one that has some of them: an undo removes them there, and restores them here.
BUCKET, FLAGGED = "quarterly-reports", "board-minutes"
FLAGS = dict(BlockPublicAcls=False, IgnorePublicAcls=False, BlockPublicPolicy=True, RestrictPublicBuckets=False)


class Account(types.SimpleNamespace):
    """An emulated account in a process of its own, since moto keeps its accounts for a whole process."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, DEMO / "account.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        super().__init__(**json.loads(self.process.stdout.readline()))

    def client(self, service):
        return boto3.client(service, endpoint_url=self.url, region_name=demo.REGION, aws_access_key_id=self.access_key_id, aws_secret_access_key=self.secret_access_key)

    def queued(self):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self.client("sqs").get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)["Attributes"]
        return [int(counts[name]) for name in names]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)

    # ---- the account before today, the misconfigurations, and what is there

    def arrange(self):
        """Two private buckets, and a group that lets the VPN in."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.create_bucket(Bucket=FLAGGED)
        s3.put_public_access_block(Bucket=FLAGGED, PublicAccessBlockConfiguration=FLAGS)
        ec2 = self.client("ec2")
        self.group = ec2.create_security_group(GroupName="bastion", Description="jump host")["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[demo.permission("10.0.0.0/8", "vpn")])

    def open_bucket(self, bucket):
        self.client("s3").put_bucket_acl(Bucket=bucket, ACL="public-read")

    def open_group(self, group):
        """SSH and a range of ports, IPv4 and IPv6, described and tagged."""
        ports = dict(IpProtocol="udp", FromPort=400, ToPort=500, Ipv6Ranges=[dict(CidrIpv6="::/0", Description="a whole range")])
        tags = [dict(ResourceType="security-group-rule", Tags=[dict(Key="Ticket", Value="T-1")])]
        permissions = [demo.permission("0.0.0.0/0", "just for a minute"), ports]
        self.client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=permissions, TagSpecifications=tags)

    def bucket(self, bucket):
        s3 = self.client("s3")
        try:
            flags = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        except botocore.exceptions.ClientError as error:
            flags = error.response["Error"]["Code"]
        return {"flags": flags, "grants": s3.get_bucket_acl(Bucket=bucket)["Grants"]}

    def rules(self, group):
        return sorted((plain_rule(rule) for rule in self.identified_rules(group)), key=lambda rule: json.dumps(rule, sort_keys=True))

    def identified_rules(self, group):
        return self.client("ec2").describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]


def plain_rule(rule):
    """A rule without what AWS gives anew."""
    return {name: value for name, value in rule.items() if name not in ("SecurityGroupRuleId", "GroupId", "SecurityGroupRuleArn")}


@dataclasses.dataclass
class Case:
    """A guardrail and a resource, how the resource is brought to break it, and what there is to see of it."""

    what: str
    guardrail: str
    resource: object
    misconfigure: object
    observe: object


CASES = [
    Case("a bucket without flags", "s3-bucket-public-access", lambda account: BUCKET, Account.open_bucket, Account.bucket),
    Case("a bucket with some flags", "s3-bucket-public-access", lambda account: FLAGGED, Account.open_bucket, Account.bucket),
    Case("a security group", "security-group-open-to-world", lambda account: account.group, Account.open_group, Account.rules),
]


@dataclasses.dataclass
class Phase:
    """A fix or an undo: the executions that it took in Rectify's run, in their order, and the account afterwards."""

    case: Case
    name: str
    definition: str
    executions: list
    observed: object


# ---- Rectify's run


class Run:
    """`rectify serve` on an account."""

    def __init__(self, binary, folder, account):
        self.binary, self.account, self.webhook, self.seen = binary, account, demo.Webhook(), set()
        account.arrange()
        demo.until("the events of the account before today", lambda: account.queued()[0] >= ARRANGED)
        account.client("sqs").purge_queue(QueueUrl=account.queue_url)
        self.rectify = demo.Rectify(binary, folder, account, account.queue_url, self.webhook)

    def states(self):
        profile = configparser.ConfigParser()
        profile.read(self.rectify.data / "credentials")
        keys = {name: value for name, value in profile["rectify"].items() if name.startswith("aws_")}
        return boto3.client("stepfunctions", endpoint_url=self.rectify.url, region_name=demo.REGION, **keys)

    def phases(self):
        demo.until("the start of `rectify serve`", self.rectify.ready)
        for case in CASES:
            case.misconfigure(self.account, case.resource(self.account))
            finding = demo.until(f"the fix of {case.what}", lambda: (now := self.finding(case)) and now["status"] == "RESOLVED" and now)
            yield self.phase(case, "fix")
            subprocess.run([self.binary, "findings", "undo", finding["id"], "--server", self.rectify.url, "--data", self.rectify.data, "--as", "tester"], check=True, stdout=subprocess.DEVNULL)
            demo.until(f"the undo of {case.what}", lambda: self.finding(case)["stage"] == "undone")
            yield self.phase(case, "undo")

    def finding(self, case):
        found = self.rectify.ask(f"/api/findings?guardrail={case.guardrail}")["findings"]
        return next((finding for finding in found if finding["resource"] == case.resource(self.account)), None)

    def phase(self, case, name):
        """Once it has been quiet for a while (the fix makes an event too): what happened since the last one."""
        calm, end = 0, time.monotonic() + demo.PATIENCE
        while calm < 5:
            if time.monotonic() > end:
                raise demo.Failed(f"it is not quiet {demo.PATIENCE} s after the {name} of {case.what}")
            calm = 0 if any(self.account.queued()) or self.running() else calm + 1
            time.sleep(0.1)
        machine = self.machine(case)
        new = [listed for listed in machine["executions"] if listed["executionArn"] not in self.seen]
        self.seen |= {listed["executionArn"] for listed in new}
        executions = [self.execution(listed["executionArn"]) for listed in sorted(new, key=lambda listed: listed["startDate"])]
        return Phase(case, name, machine["definition"], executions, case.observe(self.account, case.resource(self.account)))

    def running(self):
        states = self.states()
        return [
            execution for machine in states.list_state_machines()["stateMachines"]
            for execution in states.list_executions(stateMachineArn=machine["stateMachineArn"], statusFilter="RUNNING")["executions"]
        ]

    def machine(self, case):
        states = self.states()
        listed = {machine["name"]: machine["stateMachineArn"] for machine in states.list_state_machines()["stateMachines"]}
        arn = listed[f"rectify-guardrail-{case.guardrail}"]
        return {"definition": states.describe_state_machine(stateMachineArn=arn)["definition"], "executions": states.list_executions(stateMachineArn=arn)["executions"]}

    def execution(self, arn):
        states, events, more = self.states(), [], {}
        said = states.describe_execution(executionArn=arn)
        while True:
            page = states.get_execution_history(executionArn=arn, maxResults=1000, **more)
            events += page["events"]
            if not page.get("nextToken"):
                return said, events, calls_of(events)
            more = {"nextToken": page["nextToken"]}

    def stop(self):
        self.rectify.stop()
        self.webhook.server.shutdown()


def calls_of(events):
    """What tasks called, as history tells it."""
    calls = {}
    for event in events:
        if details := event.get("taskScheduledEventDetails"):
            parameters = json.loads(details["parameters"])
            calls[event["id"]] = {"resource": f"arn:aws:states:::{details['resourceType']}:{details['resource']}", "parameters": parameters}
            continue
        call = calls.get(event.get("previousEventId"))
        if "taskStartedEventDetails" in event:
            calls[event["id"]] = call
        elif details := event.get("taskSucceededEventDetails"):
            call["result"] = json.loads(details["output"])
        elif details := event.get("taskFailedEventDetails"):
            call["error"], call["cause"] = details.get("error", ""), details.get("cause", "")
    unique = {id(call): call for call in calls.values()}
    return list(unique.values())


def answers_of(calls, ids):
    """What each built-in function answered, for each state in order, with the foreign account's ids."""
    answers = {name: {} for name in FUNCTIONS}
    for call in calls:
        if call["resource"] == "arn:aws:states:::lambda:invoke":
            if "result" not in call:
                raise demo.Failed(f"a built-in function failed in Rectify's run: {json.dumps(call)}")
            parameters = call["parameters"]
            answers[parameters["FunctionName"]].setdefault(parameters["Payload"]["State"], []).append(call["result"]["Payload"])
    return json.loads(replaced(json.dumps(answers), ids))


def same_rules(phase, account):
    """Ids of the rules that Rectify saw, and the foreign account's ids of the same rules."""
    key = lambda rule: json.dumps(plain_rule(rule), sort_keys=True)
    theirs = {key(rule): rule["SecurityGroupRuleId"] for rule in account.identified_rules(account.group)}
    seen = [rule for _, _, calls in phase.executions for call in calls for rule in call.get("result", {}).get("SecurityGroupRules", [])]
    return {rule["SecurityGroupRuleId"]: theirs[key(rule)] for rule in seen if key(rule) in theirs}


def replaced(text, ids):
    for ours, theirs in ids.items():
        text = text.replace(ours, theirs)
    return text


# ---- the comparison


class Names:
    """Ids that AWS gives, by the order of their first appearance on one side."""

    def __init__(self):
        self.known = {}

    def plain(self, value):
        def named(found):
            return self.known.setdefault(found[0], f"{found[1]} {sum(name.startswith(found[1] + ' ') for name in self.known.values()) + 1}")

        text = re.sub(r"\b(sg|sgr|vpc)-[0-9a-f]{8,17}\b", named, json.dumps(value, sort_keys=True))
        # What differs from call to call, and from SDK to SDK: "(Service: S3, Status Code: 404, Request ID: …) (SDK Attempt Count: 1)".
        return json.loads(re.sub(r" \(Service: [^)]*\)( \(SDK Attempt Count: \d+\))?", "", text))


def comparable(call):
    if call["resource"] == "arn:aws:states:::lambda:invoke" and "result" in call:
        return {**call, "result": {name: call["result"][name] for name in ("Payload", "StatusCode")}}
    return call


class Report:
    def __init__(self):
        self.held, self.failed = 0, 0

    def compare(self, what, ours, theirs, summary):
        if ours == theirs:
            self.held += 1
            demo.say(f"  holds   {what}: {summary}")
            return
        self.failed += 1
        told = list(differences("", ours, theirs))
        demo.say(f"  DIFFERS {what}, in {len(told)} places:")
        for place, one, other in told[:12]:
            demo.say(f"          {place or 'all'}: Rectify {one}, MiniStack {other}")


def differences(place, ours, theirs):
    """Where two values differ: `(place, ours, theirs)`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in [*ours, *(name for name in theirs if name not in ours)]:
            yield from differences(f"{place}.{name}", ours.get(name, ABSENT), theirs.get(name, ABSENT))
    elif isinstance(ours, list) and isinstance(theirs, list):
        for at in range(max(len(ours), len(theirs))):
            yield from differences(f"{place}[{at}]", *(side[at] if at < len(side) else ABSENT for side in (ours, theirs)))
    elif ours != theirs:
        yield place, *("has nothing" if side is ABSENT else json.dumps(side)[:300] for side in (ours, theirs))


def compare(phase, engine, account, ids, names, report):
    name = f"rectify-guardrail-{phase.case.guardrail}"
    machine = engine.create(name, phase.definition)
    demo.say(f"\n{phase.name} of {phase.case.what} ({phase.case.guardrail})")
    report.compare("definition", phase.definition, engine.states.describe_state_machine(stateMachineArn=machine)["definition"], f"unchanged, {len(phase.definition)} characters")
    for said, events, calls in phase.executions:
        began = time.monotonic()
        theirs = engine.run(machine, said["name"], replaced(said["input"], ids), answers_of(calls, ids))
        action = json.loads(said["input"])["Action"]
        took = f"{(said['stopDate'] - said['startDate']).total_seconds() * 1000:.0f} ms here, {(time.monotonic() - began) * 1000:.0f} ms there"
        demo.say(f"  execution {said['name']} ({action}; {took})")
        ends = [{key: side.get(key) for key in ("status", "output")} for side in (said, theirs[0])]
        states = [foreign_engine.entered(side) for side in (events, theirs[1])]
        made = [[plain.plain(comparable(call)) for call in side] for plain, side in zip(names, (calls, theirs[2]))]
        outcome = [{**end, "output": plain.plain(json.loads(end["output"] or "null"))} for plain, end in zip(names, ends)]
        report.compare("status and output", *outcome, f"{ends[0]['status']} {ends[0]['output']}")
        report.compare("order of states", *states, f"{len(states[0])} entered, {sum(': ' in state for state in states[0])} of them in fragments")
        aws, functions = (sum(mark in call["resource"] for call in calls) for mark in (":aws-sdk:", ":lambda:"))
        report.compare("calls and answers", *made, f"{aws} of AWS, {functions} of built-in functions")
    observed = phase.case.observe(account, phase.case.resource(account))
    report.compare("the account afterwards", phase.observed, observed, json.dumps(observed))


def show_mends(engine, report):
    from importlib.metadata import version

    demo.say(f"where MiniStack {version('ministack')} does otherwise than AWS documents, and is mended from outside:")
    for mend, before, after in foreign_engine.shown(engine):
        demo.say(f"  {mend.what}\n    ({mend.source})")
        if before == mend.expected:
            demo.say("    MiniStack has it right by now: the mend can go")
        report.compare("mended", mend.expected, after, f"AWS {json.dumps(mend.expected)}, MiniStack {json.dumps(before)}")


def check(binary, folder, stack):
    report, began = Report(), time.monotonic()
    ours, theirs = Account(), Account()
    stack.callback(ours.stop)
    stack.callback(theirs.stop)
    (folder / "rectify").mkdir()
    run = Run(binary, folder / "rectify", ours)
    stack.callback(run.stop)
    phases = list(run.phases())
    demo.say(f"Rectify's run took {time.monotonic() - began:.1f} s: {sum(len(phase.executions) for phase in phases)} executions")

    began = time.monotonic()
    engine = foreign_engine.Engine(folder, demo.ACCOUNT, theirs.url)
    stack.callback(engine.stop)
    show_mends(engine, report)
    engine.record_calls()
    engine.stub(FUNCTIONS)
    theirs.arrange()
    ids, names = {ours.group: theirs.group}, (Names(), Names())
    for phase in phases:
        if phase.name == "fix":
            phase.case.misconfigure(theirs, phase.case.resource(theirs))
            ids |= same_rules(phase, theirs)
        if not phase.executions:
            raise demo.Failed(f"Rectify ran no execution for the {phase.name} of {phase.case.what}")
        compare(phase, engine, theirs, ids, names, report)
    demo.say(f"\nMiniStack's run took {time.monotonic() - began:.1f} s\n{report.held} comparisons hold, {report.failed} differ")
    return 1 if report.failed else 0


def main():
    if len(sys.argv) != 2:
        print("usage: step_functions.py RECTIFY", file=sys.stderr)
        return 2
    binary = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="rectify-foreign-", ignore_cleanup_errors=True) as folder, contextlib.ExitStack() as stack:
        try:
            return check(binary, pathlib.Path(folder), stack)
        except (demo.Failed, TimeoutError, OSError, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, subprocess.CalledProcessError) as error:
            demo.say(f"\nthe check failed: {error}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
