"""Somebody else's Step Functions: MiniStack's, in this process, its `aws-sdk:*` tasks made by botocore against an emulated account.

MiniStack is used as it is published. Where it differs from what AWS documents, and a compiled guardrail would notice, it is mended
here, from outside, never by changing a definition. Each mend is a `Mend`: what is wrong, where AWS says so, and a machine that shows
it. `shown()` runs those machines before and after; a mend that MiniStack no longer needs is told, and one that does not help fails."""

import asyncio
import copy
import dataclasses
import io
import json
import logging
import os
import re
import socket
import tempfile
import threading
import time
import zipfile

REGION = "us-east-1"
PATIENCE = 60
GUIDE = "https://docs.aws.amazon.com/step-functions/latest/dg/"

# A stub: answers with what the built-in function answered in Rectify's run, in order for each state, and keeps what it was asked.
# MiniStack runs it in a process of its own; asked more often than the built-in was, it fails.
STUB = '''
import json, os, pathlib

def handler(event, context):
    folder = pathlib.Path(os.environ["FOLDER"])
    asked = folder / f"{event['State']}.asked"
    count = len(asked.read_text().splitlines()) if asked.exists() else 0
    with open(asked, "a") as file:
        print(json.dumps(event), file=file)
    answers = json.loads((folder / "answers.json").read_text())[context.function_name].get(event["State"], [])
    if count >= len(answers):
        raise RuntimeError(f"{context.function_name} is asked once more than in Rectify's run, in the state {event['State']}")
    return answers[count]
'''


class Engine:
    """MiniStack, serving in threads of this process. `account_url` is where `aws-sdk:*` tasks go, `account` whose ARNs are."""

    def __init__(self, folder, account, account_url):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self.answers, self.calls = f"http://127.0.0.1:{port}", folder / "answers", []
        self.account, self.account_url = account, account_url
        self.answers.mkdir()
        # Read once, when MiniStack is imported.
        os.environ.update(BIND_HOST="127.0.0.1", GATEWAY_PORT=str(port), AWS_ENDPOINT_URL=self.url, SFTP_ENABLED="0", LOG_LEVEL="ERROR")
        tempfile.tempdir = str(folder)
        import ministack.app
        import ministack.core.lambda_runtime as workers
        import ministack.services.stepfunctions as engine

        self.engine, self.workers = engine, workers
        logging.getLogger().setLevel(logging.ERROR)
        self.serve(ministack.app.app, port)
        self.states, self.functions = self.client("stepfunctions"), self.client("lambda")

    def serve(self, application, port):
        from hypercorn.asyncio import serve
        from hypercorn.config import Config

        configuration = Config()
        configuration.bind, configuration.accesslog, configuration.errorlog = [f"127.0.0.1:{port}"], None, None
        self.loop, self.ended = asyncio.new_event_loop(), asyncio.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(serve(application, configuration, shutdown_trigger=self.ended.wait),), daemon=True)
        self.thread.start()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with socket.socket() as there:
                if there.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("MiniStack did not start")

    def client(self, service):
        import boto3

        # MiniStack takes a key of twelve digits for the account's id.
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=self.account, aws_secret_access_key="foreign")

    def stub(self, names):
        """Functions of these names that answer from `answers.json`."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("stub.py", STUB)
        role = f"arn:aws:iam::{self.account}:role/stub"
        for name in names:
            self.functions.create_function(
                FunctionName=name, Runtime="python3.12", Role=role, Handler="stub.handler", Code={"ZipFile": archive.getvalue()}, Timeout=30,
                Environment={"Variables": {"FOLDER": str(self.answers)}},
            )

    def create(self, name, definition):
        return self.states.create_state_machine(name=name, definition=definition, roleArn=f"arn:aws:iam::{self.account}:role/foreign")["stateMachineArn"]

    def run(self, machine, name, given, answers):
        """Runs an execution to its end: `(what DescribeExecution says, its history, the calls that its tasks made)`."""
        for old in self.answers.iterdir():
            old.unlink()
        (self.answers / "answers.json").write_text(json.dumps(answers))
        self.calls.clear()
        execution = self.states.start_execution(stateMachineArn=machine, name=name, input=given)["executionArn"]
        end = time.monotonic() + PATIENCE
        while (said := self.states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            if time.monotonic() > end:
                raise TimeoutError(f"{name} still runs on MiniStack after {PATIENCE} s")
            time.sleep(0.05)
        return said, self.states.get_execution_history(executionArn=execution, maxResults=1000)["events"], list(self.calls)

    def stop(self):
        # MiniStack leaves the processes of its functions behind.
        self.workers.reset()
        self.loop.call_soon_threadsafe(self.ended.set)
        self.thread.join(PATIENCE)

    # ---- tasks

    def record_calls(self):
        """From now on, what a task calls is kept in `calls`, and `aws-sdk:*` goes to the account."""
        invoke = self.engine._invoke_resource

        def recorded(resource, given):
            call = {"resource": resource, "parameters": copy.deepcopy(given)}
            self.calls.append(call)
            try:
                call["result"] = invoke(resource, given)
            except self.engine._ExecutionError as error:
                call["error"], call["cause"] = error.error, error.cause
                raise
            return call["result"]

        self.engine._invoke_resource = recorded
        self.engine._invoke_aws_sdk_integration = self.aws_sdk

    def aws_sdk(self, resource, given):
        """An `aws-sdk:SERVICE:ACTION` task: any operation that botocore knows, named as Step Functions does, after the AWS SDK for Java 2."""
        import botocore.config
        import botocore.exceptions
        import botocore.session

        service, action = resource.split(":")[6:8]
        session = botocore.session.get_session()
        client = session.create_client(
            service, endpoint_url=self.account_url, region_name=REGION, aws_access_key_id="AKIAFOREIGN000000000", aws_secret_access_key="foreign",
            config=botocore.config.Config(retries={"max_attempts": 0}, inject_host_prefix=False, s3={"addressing_style": "path"}),
        )
        # S3 Control puts the account's id before the host.
        client.meta.events.register("before-send", lambda request, **_: setattr(request, "url", re.sub(r"://\d{12}\.", "://", request.url)))
        model = client.meta.service_model
        operation = model.operation_model(action[0].upper() + action[1:])
        try:
            return java_view(client._make_api_call(operation.name, api_view(operation.input_shape, given)))
        except botocore.exceptions.ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            words = model.metadata["serviceId"].split()
            prefix = "".join(word.capitalize() if word.isupper() else word for word in words)
            modelled = code in {shape.metadata.get("error", {}).get("code", shape.name) for shape in operation.error_shapes}
            name = (code if code.endswith("Exception") else code + "Exception") if modelled else prefix + "Exception"
            answer = error.response["ResponseMetadata"]
            raise self.engine._ExecutionError(f"{prefix}.{name}", f"{message} (Service: {prefix}, Status Code: {answer['HTTPStatusCode']}, Request ID: {answer.get('RequestId')})") from error


def api_view(shape, value):
    """Names as the service's model has them: `Acl` is `ACL` there."""
    if shape is None:
        return {}
    if shape.type_name == "structure" and isinstance(value, dict):
        known = {name.lower(): name for name in shape.members}
        named = {known.get(name.lower(), name): member for name, member in value.items()}
        return {name: api_view(shape.members[name], member) if name in shape.members else member for name, member in named.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [api_view(shape.member, member) for member in value]
    return value


def java_view(value):
    """Names as Step Functions shows them, the SDK for Java's with a capital: of capitals that begin a name, all but the first and
    but one that begins a word are small. `URI` is `Uri`, `DBInstances` is `DbInstances`; `ETag` and `MultiAZ` stay."""
    if isinstance(value, dict):
        members = ((name, java_view(member)) for name, member in value.items() if name != "ResponseMetadata")
        return {re.sub(r"^[A-Z]{2,}(?![a-z])", lambda capitals: capitals[0].capitalize(), name[0].upper() + name[1:]): member for name, member in members}
    if isinstance(value, list):
        return [java_view(member) for member in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


# ---- mends


@dataclasses.dataclass
class Mend:
    """Something that MiniStack does otherwise than AWS."""

    what: str
    source: str
    machine: dict
    expected: object
    mend: object


def jsonata(engine, state, context):
    return engine._state_query_language(state, context) == "JSONata"


def parallel_fields(engine):
    run = engine._run_parallel_branches

    def mended(state, given, execution, context):
        if not jsonata(engine, state, context):
            return run(state, given, execution, context)
        arguments = engine._apply_jsonata_arguments(state, given, context)
        results, following = run(state, arguments, execution, context)
        output = engine._apply_jsonata_output(state, given, context, result=results, default=results)
        engine._apply_state_assign(state, given, context, result=results)
        return output, following

    engine._run_parallel_branches = mended


def branch_scope(engine):
    run = engine._run_sub_machine
    engine._run_sub_machine = lambda states, start, given, execution, context: run(states, start, given, execution, copy.deepcopy(context))


def nested_history(engine):
    run = engine._run_sub_machine

    class Watched(dict):
        """States of a branch: MiniStack looks one up each time that it enters it."""

        def get(self, name, default=None):
            if name in self:
                engine._add_event(self.execution, f"{self[name]['Type']}StateEntered", {"stateEnteredEventDetails": {"name": name}})
            return super().get(name, default)

    def mended(states, start, given, execution, context):
        watched = Watched(states)
        watched.execution = execution
        return run(watched, start, given, execution, context)

    engine._run_sub_machine = mended


def succeed_output(engine):
    select = engine._apply_output_path

    def mended(state, given, context=None):
        if state.get("Type") == "Succeed" and jsonata(engine, state, context):
            return engine._apply_jsonata_output(state, given, context, default=given)
        return select(state, given, context)

    engine._apply_output_path = mended


def assign_at_once(engine):
    assign = engine._apply_state_assign

    def mended(state, given, context, result=None, error_output=None):
        assigned = {}
        for name, template in (state.get("Assign") or {}).items():
            alone = {**context, "variables": dict(context["variables"])}
            assign({**state, "Assign": {name: template}}, given, alone, result=result, error_output=error_output)
            assigned[name] = alone["variables"][name]
        context["variables"].update(assigned)

    engine._apply_state_assign = mended


def boolean_conditions(engine):
    def mended(rule, given, context):
        value = engine._apply_jsonata_template(rule["Condition"], given, context)
        if not isinstance(value, bool):
            raise engine._ExecutionError("States.QueryEvaluationError", f"the Condition has to be a boolean, and is {json.dumps(value)}")
        return value

    engine._evaluate_jsonata_choice_rule = mended


def passing(**fields):
    return {"Type": "Pass", **({} if "Next" in fields else {"End": True}), **fields}


def branch(state):
    return [{"StartAt": "Inner", "States": {"Inner": state}}]


MENDS = [
    Mend(
        "a JSONata Parallel ignores its Arguments, Output and Assign", GUIDE + "state-parallel.html",
        {"A": {"Type": "Parallel", "Arguments": {"n": 1}, "Branches": branch(passing(Output="{% $states.input.n + 1 %}")), "Output": {"o": "{% $states.result[0] %}"}, "Assign": {"x": "{% $states.result[0] %}"}, "Next": "B"},
         "B": passing(Output=["{% $states.input.o %}", "{% $x %}"])},
        [2, 2], parallel_fields,
    ),
    Mend(
        "a variable assigned in a Parallel's branch is seen after the Parallel", GUIDE + "workflow-variables.html",
        {"A": {"Type": "Parallel", "Branches": branch(passing(Assign={"inner": 1})), "Next": "B"}, "B": passing(Output="{% $exists($inner) %}")},
        False, branch_scope,
    ),
    Mend(
        "history does not tell of the states within a Parallel or a Map", "https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html",
        {"A": {"Type": "Parallel", "Branches": branch(passing()), "End": True}},
        ["A", "Inner"], nested_history,
    ),
    Mend(
        "a JSONata Succeed ignores its Output", GUIDE + "state-succeed.html",
        {"A": {"Type": "Succeed", "Output": {"said": True}}},
        {"said": True}, succeed_output,
    ),
    Mend(
        "an Assign sees what the same Assign has just assigned, and not the values as they were", GUIDE + "workflow-variables.html",
        {"A": passing(Assign={"x": 1, "y": 2}, Next="B"), "B": passing(Assign={"x": "{% $y %}", "y": "{% $x %}"}, Next="C"), "C": passing(Output=["{% $x %}", "{% $y %}"])},
        [2, 1], assign_at_once,
    ),
    Mend(
        "a Condition that is no boolean is taken for true or false, instead of States.QueryEvaluationError", GUIDE + "state-choice.html",
        {"A": {"Type": "Choice", "Choices": [{"Condition": "{% 'text' %}", "Next": "B"}], "Default": "B"}, "B": passing(Output="taken")},
        "States.QueryEvaluationError", boolean_conditions,
    ),
]


def shown(engine):
    """Shows and mends them: each `(what, source, what it did, what it has to do, what it does now)`."""
    machines = [engine.create(f"mend-{number}", json.dumps({"QueryLanguage": "JSONata", "StartAt": "A", "States": mend.machine})) for number, mend in enumerate(MENDS)]

    def outcomes(name):
        return [outcome(mend, *engine.run(machine, name, "{}", {})[:2]) for mend, machine in zip(MENDS, machines)]

    before = outcomes("before")
    for mend in MENDS:
        mend.mend(engine.engine)
    return list(zip(MENDS, before, outcomes("after")))


def outcome(mend, said, history):
    if mend.mend is nested_history:
        return entered(history)
    return json.loads(said["output"]) if said["status"] == "SUCCEEDED" else said["error"]


def entered(history):
    """Names of the states, in the order in which they were entered."""
    return [event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event]
