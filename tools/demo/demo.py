"""Shows the main job: two misconfigurations made, noticed, told, fixed and proved, and one fix undone.

  demo.py RECTIFY        exit status 0 only if all of it happened"""

import contextlib
import datetime
import http.server
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import botocore.exceptions

from account import ACCOUNT, REGION, Account

STEPS = (("noticed_at", "noticed"), ("told_at", "told"), ("fixing_at", "fixing"), ("fixed_at", "fixed"), ("proved_at", "proved"))
PATIENCE = 20


class Failed(Exception):
    """Something that should have happened did not."""


def say(text=""):
    print(text, flush=True)


class Webhook:
    """The security team's channel: shows what it is told."""

    def __init__(self):
        messages = self.messages = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/security-team"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Rectify:
    """A running `rectify serve`."""

    def __init__(self, binary, folder, account, queue_url, webhook):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url, self.data, self.log = f"http://{address}", folder / "data", folder / "serve.log"
        configuration = folder / "rectify.yaml"
        configuration.write_text(
            "guardrails:\n  s3-bucket-public-access: {mode: fix}\n  security-group-open-to-world: {mode: fix}\n"
            f"sources:\n  - sqs: {{queue_url: \"{queue_url}\"}}\nchannels:\n  security-team: {{webhook: {{url: \"{webhook.url}\"}}}}\n"
        )
        keys = dict(AWS_ACCESS_KEY_ID="AKIARECTIFY000000000", AWS_SECRET_ACCESS_KEY="rectify", AWS_REGION=REGION, AWS_ENDPOINT_URL=account.url)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | keys
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [binary, "serve", "--listen", address, "--data", self.data, "--config", configuration], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def ready(self):
        if self.process.poll() is not None:
            raise Failed(f"`rectify serve` ended at once:\n{self.log.read_text()}")
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(self.url + "/healthz", timeout=1).status == 200

    def ask(self, path, body=None):
        request = urllib.request.Request(self.url + path, data=None if body is None else json.dumps(body).encode())
        request.add_header("x-api-key", (self.data / "api-key").read_text().strip())
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def finding(self, guardrail):
        for finding in self.ask(f"/api/findings?guardrail={guardrail}")["findings"]:
            return self.ask(f"/api/findings/{finding['id']}")
        return None

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def until(what, happens, every=0.02):
    """What `happens` answers, once it is something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if answer := happens():
            return answer
        time.sleep(every)
    raise Failed(f"{what} did not happen within {PATIENCE} s")


def milliseconds(text, since):
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (at - since).total_seconds() * 1000


def follow(rectify, guardrail, since):
    """Prints the steps of a finding as they happen, until it is proved."""
    shown = set()

    def look():
        finding = rectify.finding(guardrail)
        occurrence = finding["occurrences"][-1] if finding and finding["occurrences"] else {}
        happened = sorted((occurrence[at], what) for at, what in STEPS if occurrence.get(at) and what not in shown)
        for at, what in happened:
            shown.add(what)
            say(f"  {milliseconds(at, since):7.0f} ms  {what}")
        if finding and finding["stage"] == "failed":
            raise Failed(f"the response failed: {json.dumps(finding['timeline'][-1])}")
        return finding if {what for _, what in STEPS} <= shown else None

    finding = until("the proof", look)
    return until("the close", lambda: (now := rectify.finding(guardrail)) and now["status"] == "RESOLVED" and now) and finding


def public_access_block(s3):
    try:
        flags = s3.get_public_access_block(Bucket="quarterly-reports")["PublicAccessBlockConfiguration"]
        return ", ".join(f"{name}={'on' if value else 'off'}" for name, value in flags.items())
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchPublicAccessBlockConfiguration":
            raise
        return "no public access block"


def rules(ec2, group):
    found = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    return sorted(f"{rule['IpProtocol']} {rule['FromPort']} from {rule['CidrIpv4']} \"{rule.get('Description', '')}\"" for rule in found if not rule["IsEgress"])


def permission(cidr, description):
    return dict(IpProtocol="tcp", FromPort=22, ToPort=22, IpRanges=[dict(CidrIp=cidr, Description=description)])


def show(binary, folder, account, webhook):
    # The account as it was before today: a private bucket, a security group that lets the VPN in.
    s3, ec2 = account.client("s3"), account.client("ec2")
    s3.create_bucket(Bucket="quarterly-reports")
    group = ec2.create_security_group(GroupName="bastion", Description="jump host")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission("10.0.0.0/8", "vpn")])
    alice = dict(zip(("key", "secret"), account.user("alice")))
    queue_url = account.client("sqs").create_queue(QueueName="cloudtrail-events")["QueueUrl"]
    account.record_to(queue_url)

    rectify = Rectify(binary, folder, account, queue_url, webhook)
    try:
        until("the start of `rectify serve`", rectify.ready)
        say(f"account {ACCOUNT} is emulated at {account.url}, `rectify serve` listens at {rectify.url}")

        say("\nalice opens a bucket to the world: s3:PutBucketAcl quarterly-reports public-read")
        began = datetime.datetime.now(datetime.timezone.utc)
        account.client("s3", **alice).put_bucket_acl(Bucket="quarterly-reports", ACL="public-read")
        bucket = follow(rectify, "s3-bucket-public-access", began)
        shut = public_access_block(s3)
        say(f"  the bucket: {shut}")
        if "off" in shut or "no " in shut:
            raise Failed("the bucket is not shut")

        say(f"\nalice opens SSH to the world: ec2:AuthorizeSecurityGroupIngress {group} tcp 22 from 0.0.0.0/0")
        began = datetime.datetime.now(datetime.timezone.utc)
        account.client("ec2", **alice).authorize_security_group_ingress(GroupId=group, IpPermissions=[permission("0.0.0.0/0", "just for a minute")])
        opened = rules(ec2, group)
        closed = follow(rectify, "security-group-open-to-world", began)
        left = rules(ec2, group)
        say(f"  the group: {'; '.join(left)}")
        if left != ['tcp 22 from 10.0.0.0/8 "vpn"']:
            raise Failed("the group should hold the VPN's rule and no other")

        say("\nthe security team was told:")
        for message in until("the messages", lambda: len(webhook.messages) >= 2 and webhook.messages):
            say("  | " + message["text"].replace("\n", "\n  | "))

        say(f"\nthe group's fix is undone: rectify findings undo {closed['id']}")
        say(f"  before: {'; '.join(left)}")
        subprocess.run([binary, "findings", "undo", closed["id"], "--server", rectify.url, "--data", rectify.data, "--as", "demo"], check=True, stdout=subprocess.DEVNULL)
        until("the undo", lambda: rectify.finding("security-group-open-to-world")["stage"] == "undone")
        after = rules(ec2, group)
        say(f"  after:  {'; '.join(after)}")
        if after != opened:
            raise Failed(f"the undo should have brought back {opened}")
        say(f"\ndone: noticed, told, fixed, proved and undone (findings {bucket['id']} and {closed['id']})")
    except (Failed, OSError, botocore.exceptions.BotoCoreError, subprocess.CalledProcessError):
        say(f"\nthe end of the log of `rectify serve`:\n{rectify.log.read_text()[-4000:]}")
        raise
    finally:
        rectify.stop()


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    account, webhook = Account(), Webhook()
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="rectify-demo-") as folder:
            show(binary, pathlib.Path(folder), account, webhook)
    except (Failed, OSError, botocore.exceptions.BotoCoreError, subprocess.CalledProcessError) as error:
        say(f"\nthe demo failed: {error}")
        return 1
    finally:
        account.stop()
        webhook.server.shutdown()
    say(f"it took {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
