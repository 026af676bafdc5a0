"""An emulated AWS account on loopback: moto, and in front of it a recorder that does what CloudTrail and an EventBridge rule
do: each call that changes something becomes a CloudTrail event, shaped as AWS shapes it, on an SQS queue."""

import json
import re
import sys
import threading
import time
import urllib.parse
import uuid
import xml.etree.ElementTree as ElementTree

import boto3
import botocore.parsers
import botocore.session
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

ACCOUNT, REGION = "123456789012", "us-east-1"
READS = ("Get", "List", "Describe", "Head", "Lookup")
# The S3 sub-resources as CloudTrail names them; `publicAccessBlock` is PutPublicAccessBlock to the API itself.
BUCKET_CALLS = {"acl": "Acl", "policy": "Policy", "publicAccessBlock": "PublicAccessBlock", "tagging": "Tagging"}


# On AWS an interface has groups of its own. moto shows those of its instance among them, so that it could never be taken out of any.
NetworkInterface.group_set = property(lambda self: self._group_set or (list(self.instance.security_groups) if self.instance else []))


class Account:
    """The account, served in a thread of this process."""

    def __init__(self):
        self.users, self.queue_url, self.models = {}, None, botocore.session.get_session()
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def client(self, service, key="AKIAROOT000000000000", secret="root"):
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret)

    def user(self, name):
        """Makes an IAM user; its key."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.users[key["AccessKeyId"]] = name
        return key["AccessKeyId"], key["SecretAccessKey"]

    def record_to(self, queue_url):
        """From now on, what changes the account becomes an event on this queue."""
        self.queue_url, self.sqs = queue_url, self.client("sqs")

    def stop(self):
        self.server.shutdown()

    # ---- the recorder: WSGI around moto

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesOnce(body)
        answered = {}

        def capture(status, headers, *rest):
            answered.update(status=int(status.split()[0]), headers=dict(headers))
            return start_response(status, headers, *rest)

        answer = b"".join(self.moto(environ, capture))
        if self.queue_url and answered["status"] < 400:
            event = self.event(environ, body, answered, answer)
            if event:
                # As EventBridge does: after the call was answered, and not by the caller.
                threading.Thread(target=self.deliver, args=(event,), daemon=True).start()
        return [answer]

    def deliver(self, event):
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=json.dumps(event, default=str))

    def event(self, environ, body, answered, answer):
        credential = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        if not credential:
            return None
        key, region, service = credential.groups()
        if service == "s3":
            name, parameters, elements = bucket_call(environ, body), None, None
            if name:
                name, parameters = name
        elif service == "ec2":
            name, parameters, elements = self.ec2_call(body, answered, answer)
        else:
            return None
        if not name or name.startswith(READS):
            return None
        user, now = self.users.get(key, "rectify"), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        identity = {"type": "IAMUser", "principalId": "AIDA" + key[-16:], "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}", "accountId": ACCOUNT, "accessKeyId": key, "userName": user}
        detail = {
            "eventVersion": "1.11", "userIdentity": identity, "eventTime": now, "eventSource": f"{service}.amazonaws.com", "eventName": name, "awsRegion": region,
            "sourceIPAddress": "198.51.100.7", "userAgent": environ.get("HTTP_USER_AGENT", ""), "requestParameters": parameters, "responseElements": elements,
            "requestID": str(uuid.uuid4()), "eventID": str(uuid.uuid4()), "readOnly": False, "eventType": "AwsApiCall", "managementEvent": True, "recipientAccountId": ACCOUNT, "eventCategory": "Management",
        }
        return {"version": "0", "id": str(uuid.uuid4()), "detail-type": "AWS API Call via CloudTrail", "source": f"aws.{service}", "account": ACCOUNT, "time": now, "region": region, "resources": [], "detail": detail}

    def ec2_call(self, body, answered, answer):
        form = {name: values[0] for name, values in urllib.parse.parse_qs(body.decode(), keep_blank_values=True).items()}
        model = self.models.get_service_model("ec2")
        operation = model.operation_model(form["Action"])
        parameters = ec2_parameters(operation.input_shape, form, "")
        parsed = botocore.parsers.create_parser("ec2").parse({"status_code": answered["status"], "headers": answered["headers"], "body": answer}, operation.output_shape) if operation.output_shape else {}
        elements = {"requestId": str(uuid.uuid4())}
        for name, value in ec2_view(parsed).items():
            elements[{"return": "_return", "securityGroupRules": "securityGroupRuleSet"}.get(name, name)] = value
        return operation.name, ec2_view(parameters or {}), elements


class Quiet(WSGIRequestHandler):
    """No line for each request."""

    def log(self, *_):
        pass


class BytesOnce:
    """A request's body, to be read again by moto."""

    def __init__(self, body):
        self.body = body

    def read(self, size=-1):
        size = len(self.body) if size is None or size < 0 else size
        part, self.body = self.body[:size], self.body[size:]
        return part

    def readline(self, size=-1):
        end = self.body.find(b"\n") + 1 or len(self.body)
        return self.read(end if size is None or size < 0 else min(end, size))

    def __iter__(self):
        return iter(self.readline, b"")


def bucket_call(environ, body):
    """CloudTrail's name of a call that changes a bucket, and its requestParameters; what changes an object is no management event."""
    bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    if not bucket or key or environ["REQUEST_METHOD"] not in ("PUT", "DELETE"):
        return None
    host, query = f"{bucket}.s3.amazonaws.com", urllib.parse.parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    verb = environ["REQUEST_METHOD"].capitalize()
    part = next((name for name in BUCKET_CALLS if name in query), None)
    if not part:
        return ("CreateBucket" if verb == "Put" else "DeleteBucket", {"bucketName": bucket, "Host": host}) if not query else None
    parameters = {"bucketName": bucket, "Host": host, part: ""}
    parameters.update({name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name.startswith(("HTTP_X_AMZ_ACL", "HTTP_X_AMZ_GRANT"))})
    if verb == "Put" and part == "policy":
        parameters["bucketPolicy"] = json.loads(body)
    elif verb == "Put" and body:
        root = ElementTree.fromstring(body)
        parameters[root.tag.split("}")[-1]] = xml_view(root)
    return f"{verb}Bucket{BUCKET_CALLS[part]}", parameters


def xml_view(element):
    if not len(element):
        return {"true": True, "false": False}.get(element.text, element.text or "")
    return {child.tag.split("}")[-1]: xml_view(child) for child in element}


def ec2_parameters(shape, form, prefix):
    """The members of a structure that an EC2 query names."""
    members = {}
    for name, member in (shape.members if shape else {}).items():
        key = member.serialization.get("queryName") or member.serialization.get("name", name)
        value = ec2_value(member, form, prefix + key[0].upper() + key[1:])
        if value is not None:
            members[name] = value
    return members


def ec2_value(shape, form, key):
    if shape.type_name == "structure":
        return ec2_parameters(shape, form, key + ".") if any(name.startswith(key + ".") for name in form) else None
    if shape.type_name == "list":
        values = []
        while any(name == f"{key}.{len(values) + 1}" or name.startswith(f"{key}.{len(values) + 1}.") for name in form):
            values.append(ec2_value(shape.member, form, f"{key}.{len(values) + 1}"))
        return values or None
    value = form.get(key)
    return int(value) if value is not None and shape.type_name in ("integer", "long") else value


def ec2_view(value):
    """As CloudTrail writes EC2's values: names in lower camel case, lists as {"items": […]}."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: ec2_view(member) for name, member in value.items() if name != "ResponseMetadata"}
    if isinstance(value, list):
        return {"items": [ec2_view(member) for member in value]}
    return value


def main():
    """Serves an account until standard input ends. Prints one line of JSON: `{url, queue_url, access_key_id, secret_access_key}`,
    the queue being the one that the recorder sends to, the key an IAM user's named alice."""
    account = Account()
    key, secret = account.user("alice")
    queue_url = account.client("sqs").create_queue(QueueName="cloudtrail-events")["QueueUrl"]
    account.record_to(queue_url)
    print(json.dumps({"url": account.url, "queue_url": queue_url, "access_key_id": key, "secret_access_key": secret}), flush=True)
    sys.stdin.read()
    account.stop()


if __name__ == "__main__":
    main()
