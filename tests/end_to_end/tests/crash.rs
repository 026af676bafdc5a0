//! kill -9 at every commit of the store in turn, right before it and right after it: the execution ends, the fix is done once as
//! seen from the account, nobody stays untold, and the undo, killed in the same way, is exact.
//!
//! Tasks are at least once. So where the process dies between an answer of AWS and its commit, the call is made again: at one
//! kill point of the response and at one of the undo, and it changes nothing more.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test tells what broke by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::process::ExitStatusExt as _,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Instant,
};

use end_to_end::{Account, Serve, Webhook, until};
use serde_json::{Value, json};

const SIGKILL: i32 = 9;
/// Servers at once.
const WORKERS: usize = 3;
/// A response has far fewer commits.
const KILL_POINTS_LIMIT: u32 = 200;

/// One kind of misconfiguration: all scripts are Python, `NAME` in them the resource.
struct Kind {
    guardrail: &'static str,
    /// Makes an open one for a name, and answers its id.
    arrange: &'static str,
    /// The CloudTrail event of it, less its id.
    event: fn(&str) -> Value,
    /// Answers what is seen of it.
    observe: &'static str,
    open: fn() -> Value,
    shut: fn() -> Value,
    /// The call of the fix, and that of the undo with how often it is made.
    fix: &'static str,
    undo: (&'static str, usize),
    /// Whether AWS takes the fix's call again: else the second one is refused.
    repeatable: bool,
}

const BUCKET: Kind = Kind {
    guardrail: "s3-bucket-public-access",
    arrange: "client('s3').create_bucket(Bucket='NAME'); client('s3').put_bucket_acl(Bucket='NAME', ACL='public-read'); answer('NAME')",
    event: |bucket| json!({"eventSource": "s3.amazonaws.com", "eventName": "PutBucketAcl", "requestParameters": {"bucketName": bucket, "x-amz-acl": "public-read"}}),
    observe:
        "acl = [g['Permission'] for g in client('s3').get_bucket_acl(Bucket='NAME')['Grants'] if 'URI' in g['Grantee']]
try: answer([acl, client('s3').get_public_access_block(Bucket='NAME')['PublicAccessBlockConfiguration']])
except botocore.exceptions.ClientError as e: answer([acl, e.response['Error']['Code']])",
    open: || json!([["READ"], "NoSuchPublicAccessBlockConfiguration"]),
    shut: || json!([["READ"], {"BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true}]),
    fix: "PutBucketPublicAccessBlock",
    undo: ("DeleteBucketPublicAccessBlock", 1),
    repeatable: true,
};

const GROUP: Kind = Kind {
    guardrail: "security-group-open-to-world",
    arrange: "ec2 = client('ec2'); group = ec2.create_security_group(GroupName='NAME', Description='d')['GroupId']
ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[dict(IpProtocol='tcp', FromPort=22, ToPort=22,
    IpRanges=[dict(CidrIp='0.0.0.0/0', Description='oops'), dict(CidrIp='10.0.0.0/8', Description='vpn')], Ipv6Ranges=[dict(CidrIpv6='::/0')]),
    dict(IpProtocol='tcp', FromPort=443, ToPort=443, IpRanges=[dict(CidrIp='0.0.0.0/0', Description='web')])])
answer(group)",
    event: |group| {
        json!({"eventSource": "ec2.amazonaws.com", "eventName": "AuthorizeSecurityGroupIngress", "requestParameters": {"groupId": group}})
    },
    observe: "answer(sorted([r.get('CidrIpv4') or r.get('CidrIpv6'), r['IpProtocol'], r['FromPort'], r['ToPort'], r.get('Description')]
for r in client('ec2').describe_security_group_rules(Filters=[dict(Name='group-id', Values=['NAME'])])['SecurityGroupRules'] if not r['IsEgress']))",
    open: || {
        json!([
            ["0.0.0.0/0", "tcp", 22, 22, "oops"],
            ["0.0.0.0/0", "tcp", 443, 443, "web"],
            ["10.0.0.0/8", "tcp", 22, 22, "vpn"],
            ["::/0", "tcp", 22, 22, null]
        ])
    },
    shut: || json!([["0.0.0.0/0", "tcp", 443, 443, "web"], ["10.0.0.0/8", "tcp", 22, 22, "vpn"]]),
    fix: "RevokeSecurityGroupIngress",
    undo: ("AuthorizeSecurityGroupIngress", 2),
    repeatable: false,
};

/// Two rounds: a person is asked, and the whole response comes after the answer.
#[test]
fn a_bucket_s_response_with_a_question_and_its_undo_survive_kill_9_at_every_commit() {
    sweep(&BUCKET, "approve");
}

#[test]
fn a_group_s_response_and_undo_survive_kill_9_at_every_commit() {
    sweep(&GROUP, "fix");
}

/// An execution that ends without an end of its own, here since somebody stops it, is told of by the engine.
#[test]
fn the_alert_of_a_response_that_was_stopped_survives_kill_9_at_every_commit() {
    let Some(account) = account() else { return };
    let webhook = Webhook::start();
    let mut kills = 0;
    // The stop with what is to be told, that it was told, that nothing is left to be told; then nothing more.
    for (side, number) in (1..=4).flat_map(|number| [("before", number), ("after", number)]) {
        let mut life = Life::new(&account, &webhook, &BUCKET, "approve");
        let kill = format!("{side}:{number}");
        let resource = account.python(&BUCKET.arrange.replace("NAME", &format!("stopped-{side}-{number}")));
        let resource = resource.as_str().unwrap();
        life.begin("after:1000");
        life.post("/events", &envelope((BUCKET.event)(resource), &kill));
        life.finding(BUCKET.guardrail, "waiting_for_a_person");
        life.message(&webhook, "question", resource);
        life.begin(&kill);
        life.through("the stop", |serve| {
            let stop = "[sfn.stop_execution(executionArn=e['executionArn'], error='Stopped', cause='by hand')['stopDate'] for e in executions]";
            step_functions(&account, serve, stop).as_array().map(Vec::len).filter(|stopped| *stopped == 1)
        });
        life.message(&webhook, "failed", resource);
        let finding = life.through("the record", |serve| {
            let finding = serve.finding(BUCKET.guardrail)?;
            let told = |entry: &Value| entry["what"] == "told" && entry["detail"]["Kind"] == "failed";
            finding["timeline"].as_array()?.iter().any(told).then_some(finding)
        });
        assert_eq!((&finding["stage"], &finding["status"]), (&json!("failed"), &json!("NOTIFIED")));
        life.through("the end", |serve| {
            let statuses = step_functions(&account, serve, "[e['status'] for e in executions]");
            statuses.is_array().then(|| assert_eq!(statuses, json!(["ABORTED"])))
        });
        life.message(&webhook, "failed", resource);
        kills += usize::from(life.killed);
    }
    // Right after the last ones everything is there, and the process may outlive what is asked of it.
    println!("a stopped response: killed at {kills} points");
    assert!(kills >= 3, "{kills} kills: are commits still told of?");
}

/// What one life taught.
struct Lesson {
    kill: String,
    resource: String,
    /// Whether it was killed during the response, and during the undo.
    killed: [bool; 2],
    /// Messages that came more than once.
    doubled: usize,
}

#[expect(clippy::print_stdout, reason = "a skip is told")]
fn account() -> Option<Account> {
    if cfg!(debug_assertions) {
        return Account::start();
    }
    println!("skipped: only a debug build of `rectify` dies at an exact step");
    None
}

/// Goes through the kill points until one is never reached. A response has more of them than an undo.
#[expect(clippy::print_stdout, reason = "how much was tried")]
fn sweep(kind: &Kind, mode: &str) {
    let Some(account) = account() else { return };
    let webhook = Webhook::start();
    let begun = Instant::now();
    let lessons = Mutex::new(Vec::new());
    for side in ["before", "after"] {
        let (next, over, undo_over) = (AtomicU32::new(1), AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    let _ends = EndsWithPanic(&over);
                    while !over.load(Ordering::SeqCst) {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        assert!(number <= KILL_POINTS_LIMIT, "a response has fewer commits");
                        let kill_undo = !undo_over.load(Ordering::SeqCst);
                        let lesson = live(&account, &webhook, kind, mode, (side, number), kill_undo);
                        undo_over.fetch_or(!lesson.killed[1], Ordering::SeqCst);
                        over.fetch_or(!lesson.killed[0], Ordering::SeqCst);
                        lessons.lock().unwrap().push(lesson);
                    }
                });
            }
        });
    }
    let lessons = lessons.into_inner().unwrap();
    let counted = |place: usize| lessons.iter().filter(|lesson| lesson.killed[place]).count();
    let (responses, undos) = (counted(0), counted(1));
    assert!(responses >= 40 && undos >= 14, "{responses} and {undos} kills: are commits still told of?");
    let [fixed_again, undone_again] = made_again(&account, kind, &lessons);
    println!(
        "{} in mode {mode}: killed at {responses} points of the response and {undos} of the undo; the call made again at {fixed_again} and {undone_again}; {} messages doubled under one id; {:.0} s",
        kind.guardrail,
        lessons.iter().map(|lesson| lesson.doubled).sum::<usize>(),
        begun.elapsed().as_secs_f64()
    );
}

/// A worker that panics ends the others.
struct EndsWithPanic<'a>(&'a AtomicBool);

impl Drop for EndsWithPanic<'_> {
    fn drop(&mut self) {
        self.0.fetch_or(thread::panicking(), Ordering::SeqCst);
    }
}

/// The calls that Rectify made and AWS took, as the account's recorder has them: how many were made again.
fn made_again(account: &Account, kind: &Kind, lessons: &[Lesson]) -> [usize; 2] {
    let events = account.python(&format!(
        "events, sqs = [], client('sqs')
while page := sqs.receive_message(QueueUrl='{}', MaxNumberOfMessages=10).get('Messages'):
    events += [json.loads(m['Body'])['detail'] for m in page]
    for m in page: sqs.delete_message(QueueUrl='{0}', ReceiptHandle=m['ReceiptHandle'])
answer([[e['eventName'], e['requestParameters'].get('bucketName') or e['requestParameters'].get('groupId')] for e in events if e['userIdentity']['userName'] != 'alice'])",
        account.queue_url
    ));
    let mut calls = BTreeMap::<(&str, &str), usize>::new();
    for event in events.as_array().unwrap() {
        *calls.entry((event[0].as_str().unwrap(), event[1].as_str().unwrap())).or_default() += 1;
    }
    let names: BTreeSet<&str> = calls.keys().map(|(name, _)| *name).collect();
    assert_eq!(names, BTreeSet::from([kind.fix, kind.undo.0]), "nothing else is changed");
    [(kind.fix, 1), kind.undo].map(|(name, once)| {
        let mut again = 0;
        for lesson in lessons {
            let made = calls.get(&(name, &lesson.resource)).copied().unwrap_or_default();
            let unavoidable = kind.repeatable && lesson.kill.starts_with("before");
            assert!(
                made == once || unavoidable && made == once + 1,
                "{name} of {} was made {made} times, killed {}",
                lesson.resource,
                lesson.kill
            );
            again += made - once;
        }
        assert!(
            again <= 1,
            "{name} was made again at {again} kill points, and only one is between it and its answer's commit"
        );
        again
    })
}

/// A server that is killed once, and started again by whoever waits for something.
struct Life {
    serve: Serve,
    killed: bool,
}

impl Life {
    fn new(account: &Account, webhook: &Webhook, kind: &Kind, mode: &str) -> Life {
        let configuration = format!(
            "account: \"123456789012\"\nguardrails: {{{}: {{mode: {mode}}}}}\nchannels: {{team: {{webhook: {{url: \"{}\"}}}}}}\n",
            kind.guardrail, webhook.url
        );
        Life { serve: Serve::prepare(&configuration, &account.url), killed: false }
    }

    /// Starts it, to be killed.
    fn begin(&mut self, kill: &str) {
        self.killed = false;
        self.serve.restart(&[("RECTIFY_KILL_AT", kill)]);
        self.through("the start", |serve| serve.ask("GET", "/healthz", None).filter(|answer| answer.status == 200));
    }

    /// What `happens` answers, once it answers something.
    fn through<T>(&mut self, what: &str, mut happens: impl FnMut(&Serve) -> Option<T>) -> T {
        until(what, || {
            if let Some(status) = self.serve.ended() {
                assert_eq!(status.signal(), Some(SIGKILL), "{status}: {}", self.serve.log());
                assert!(!self.killed, "it was killed a second time:\n{}", self.serve.log());
                self.killed = true;
                self.serve.restart(&[]);
                self.serve.wait_until_ready();
            }
            happens(&self.serve)
        })
    }

    /// Posts until there is an answer; who had none asks again, and then may hear that it was done.
    fn post(&mut self, path: &str, body: &Value) {
        let mut unanswered = false;
        let status = self.through(path, |serve| {
            let answer = serve.ask("POST", path, Some(body.to_string().as_bytes()));
            unanswered |= answer.is_none();
            answer
        });
        assert!(
            status.status == 200 || unanswered && status.status == 409,
            "{path}: {status:?}, unanswered before: {unanswered}"
        );
    }

    /// The finding at a stage. There is one, of one occurrence.
    fn finding(&mut self, guardrail: &str, stage: &str) -> Value {
        let finding = self.through(&format!("the stage `{stage}`"), |serve| {
            let finding = serve.finding(guardrail)?;
            assert_ne!(finding["stage"], "failed", "{finding:#}\n{}", serve.log());
            (finding["stage"] == stage).then_some(finding)
        });
        let list = self.through("the list", |serve| serve.ask("GET", "/api/findings", None));
        assert_eq!(list.body["findings"].as_array().unwrap().len(), 1, "{:#}", list.body);
        assert_eq!(finding["occurrences"].as_array().unwrap().len(), 1, "{finding:#}");
        finding
    }

    /// Waits until so many executions have succeeded, and there are no others.
    fn executions(&mut self, account: &Account, count: usize) {
        self.through("the end of the execution", |serve| {
            let statuses = step_functions(account, serve, "[e['status'] for e in executions]");
            let statuses = statuses.as_array()?;
            assert!(statuses.iter().all(|status| status == "SUCCEEDED" || status == "RUNNING"), "{statuses:?}");
            (statuses.iter().all(|status| status == "SUCCEEDED") && statuses.len() == count).then_some(())
        });
    }

    /// Waits for a message; messages of one kind have one id, however often they came. How many came again.
    fn message(&mut self, webhook: &Webhook, kind: &str, resource: &str) -> usize {
        let messages = self.through(&format!("the message `{kind}`"), |_| {
            let about = |message: &Value| message["kind"] == kind && message["finding"]["resource"] == resource;
            let messages: Vec<Value> = webhook.messages().into_iter().filter(about).collect();
            (!messages.is_empty()).then_some(messages)
        });
        let ids: BTreeSet<String> = messages.iter().map(|message| message["id"].to_string()).collect();
        assert_eq!(ids.len(), 1, "{kind}: {messages:#?}");
        messages.len() - 1
    }
}

/// What a Python expression says of `sfn`, boto3's client of a server, and of its `executions`; null where nobody answers.
fn step_functions(account: &Account, serve: &Serve, expression: &str) -> Value {
    account.python(&format!(
        "import configparser
file = configparser.ConfigParser(); file.read('{}'); key = file['rectify']
sfn = client('stepfunctions', endpoint_url='{}', aws_access_key_id=key['aws_access_key_id'], aws_secret_access_key=key['aws_secret_access_key'])
try:
    machines = sfn.list_state_machines()['stateMachines']
    executions = [e for m in machines for e in sfn.list_executions(stateMachineArn=m['stateMachineArn'])['executions']]
    answer({expression})
except (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError): pass",
        serve.data().join("credentials").display(),
        serve.url()
    ))
}

/// One resource's response and undo, each killed at that commit, if it has so many.
fn live(
    account: &Account,
    webhook: &Webhook,
    kind: &Kind,
    mode: &str,
    (side, number): (&str, u32),
    kill_undo: bool,
) -> Lesson {
    let kill = format!("{side}:{number}");
    let observe = |resource: &str| account.python(&kind.observe.replace("NAME", resource));
    let resource = account.python(&kind.arrange.replace("NAME", &format!("crash-{side}-{number}")));
    let resource = resource.as_str().unwrap();
    assert_eq!(observe(resource), (kind.open)());
    let mut life = Life::new(account, webhook, kind, mode);
    life.begin(&kill);
    life.post("/events", &envelope((kind.event)(resource), &kill));
    let mut doubled = 0;
    if mode == "approve" {
        let finding = life.finding(kind.guardrail, "waiting_for_a_person");
        doubled += life.message(webhook, "question", resource);
        assert_eq!(observe(resource), (kind.open)(), "nothing is changed before somebody says so");
        let approve = format!("/api/findings/{}/approve", finding["id"].as_str().unwrap());
        life.post(&approve, &json!({"person": "bob"}));
    }
    let finding = life.finding(kind.guardrail, "fixed");
    doubled += life.message(webhook, "noticed", resource) + life.message(webhook, "fixed", resource);
    life.executions(account, 1);
    assert_eq!((&finding["status"], &finding["compliance"]), (&json!("RESOLVED"), &json!("COMPLIANT")));
    check_timeline(&life.finding(kind.guardrail, "fixed"), mode);
    assert_eq!(observe(resource), (kind.shut)(), "killed {kill}");
    let killed_in_response = life.killed;

    if kill_undo {
        life.begin(&kill);
    } else {
        life.killed = false;
    }
    life.post(&format!("/api/findings/{}/undo", finding["id"].as_str().unwrap()), &json!({"person": "bob"}));
    life.finding(kind.guardrail, "undone");
    doubled += life.message(webhook, "undone", resource);
    life.executions(account, 2);
    assert_eq!(observe(resource), (kind.open)(), "killed {kill}");
    Lesson { kill, resource: resource.to_owned(), killed: [killed_in_response, life.killed], doubled }
}

/// What has to be on the record once, however often it was tried.
fn check_timeline(finding: &Value, mode: &str) {
    let entries: Vec<&str> =
        finding["timeline"].as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    let told = |kind: &str| {
        let of_kind = |entry: &&Value| entry["what"] == "told" && entry["detail"]["Kind"] == kind;
        finding["timeline"].as_array().unwrap().iter().filter(of_kind).count()
    };
    let asked = usize::from(mode == "approve");
    for (what, times) in
        [("noticed", 1), ("before_kept", 1), ("fixing", 1), ("closed", 1), ("asked", asked), ("answered", asked)]
    {
        assert_eq!(entries.iter().filter(|entry| **entry == what).count(), times, "{what}: {finding:#}");
    }
    for (kind, times) in [("noticed", 1), ("fixed", 1), ("question", asked)] {
        assert_eq!(told(kind), times, "told of {kind}: {finding:#}");
    }
}

/// As EventBridge delivers a CloudTrail record.
fn envelope(mut detail: Value, id: &str) -> Value {
    let user = json!({"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/alice", "accountId": "123456789012", "userName": "alice"});
    let more = [
        ("eventVersion", json!("1.11")),
        ("eventID", json!(id)),
        ("eventTime", json!("2026-01-01T00:00:00Z")),
        ("awsRegion", json!("us-east-1")),
        ("userIdentity", user),
        ("recipientAccountId", json!("123456789012")),
    ];
    detail.as_object_mut().unwrap().extend(more.map(|(name, value)| (name.to_owned(), value)));
    let service = detail["eventSource"].as_str().unwrap().replace(".amazonaws.com", "");
    json!({"version": "0", "id": id, "detail-type": "AWS API Call via CloudTrail", "source": format!("aws.{service}"), "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": detail})
}
