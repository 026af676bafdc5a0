//! The main job, through the real binary: an API call noticed, told, fixed, proved and undone, in each mode.

use end_to_end::{Account, Serve, Webhook, until};
use serde_json::{Value, json};

const BUCKET: &str = "s3-bucket-public-access";
const GROUP: &str = "security-group-open-to-world";

fn serve(account: &Account, webhook: &Webhook, guardrails: &str) -> Serve {
    let configuration = format!(
        "guardrails: {guardrails}\nsources:\n  - sqs: {{queue_url: \"{}\"}}\nchannels:\n  team: {{webhook: {{url: \"{}\"}}}}\n",
        account.queue_url, webhook.url
    );
    Serve::start(&configuration, &account.url)
}

fn text<'a>(finding: &'a Value, name: &str) -> &'a str {
    finding[name].as_str().unwrap_or_default()
}

fn stage(serve: &Serve, guardrail: &str, wanted: &str) -> Value {
    until(&format!("`{guardrail}` at stage `{wanted}`"), || {
        let finding = serve.finding(guardrail)?;
        assert!(text(&finding, "stage") != "failed" || wanted == "failed", "{finding:#}");
        (text(&finding, "stage") == wanted).then_some(finding)
    })
}

fn flags(account: &Account) -> Value {
    account.python(
        "try: answer(client('s3').get_public_access_block(Bucket='reports')['PublicAccessBlockConfiguration'])\n\
         except botocore.exceptions.ClientError as e: answer(e.response['Error']['Code'])",
    )
}

fn rules(account: &Account, group: &str) -> Value {
    account.python(&format!(
        "answer(sorted([r.get('CidrIpv4') or r.get('CidrIpv6'), r['IpProtocol'], r['FromPort'], r.get('Description')] for r in \
         client('ec2').describe_security_group_rules(Filters=[dict(Name='group-id', Values=['{group}'])])['SecurityGroupRules'] if not r['IsEgress']))"
    ))
}

fn four_flags(value: bool) -> Value {
    json!({"BlockPublicAcls": value, "IgnorePublicAcls": value, "BlockPublicPolicy": value, "RestrictPublicBuckets": value})
}

#[test]
fn a_bucket_is_shut_and_opened_again() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve = serve(&account, &webhook, &format!("{{{BUCKET}: {{mode: fix}}}}"));
    account.python("client('s3').create_bucket(Bucket='reports'); client('s3').put_bucket_acl(Bucket='reports', ACL='public-read')");
    let finding = stage(&serve, BUCKET, "fixed");
    assert_eq!((text(&finding, "status"), text(&finding, "compliance")), ("RESOLVED", "COMPLIANT"));
    assert_eq!(flags(&account), four_flags(true));
    let acl = account.python("answer([g['Permission'] for g in client('s3').get_bucket_acl(Bucket='reports')['Grants'] if 'URI' in g['Grantee']])");
    assert_eq!(acl, json!(["READ"]), "the fix leaves the ACL as it is");
    let told = until("the message", || webhook.messages().into_iter().next());
    let message = told["text"].as_str().unwrap();
    assert!(message.contains("reports") && message.contains("alice"), "{message}");
    assert!(!serve.log().contains("secret-path"), "the webhook's URL is a secret");

    let (status, output) = serve.command(&["findings", "undo", text(&finding, "id"), "--as", "bob"]);
    assert_eq!(status, 0, "{output}");
    let undone = stage(&serve, BUCKET, "undone");
    assert_eq!(text(&undone, "status"), "SUPPRESSED");
    assert_eq!(flags(&account), json!("NoSuchPublicAccessBlockConfiguration"), "as it was before");

    // Undone means left alone: the next bad call on it is put on record and starts nothing.
    account.python("client('s3').put_bucket_acl(Bucket='reports', ACL='public-read-write')");
    until("the suppressed sighting", || {
        let finding = serve.finding(BUCKET)?;
        (finding["timeline"].as_array()?.len() > undone["timeline"].as_array()?.len()).then_some(())
    });
    assert_eq!(flags(&account), json!("NoSuchPublicAccessBlockConfiguration"));
}

#[test]
fn a_group_loses_its_open_rules_and_gets_them_back() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve = serve(&account, &webhook, &format!("{{{GROUP}: {{mode: fix}}}}"));
    let group = account.python(
        "ec2 = client('ec2'); group = ec2.create_security_group(GroupName='g', Description='d')['GroupId']\n\
         ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[dict(IpProtocol='tcp', FromPort=22, ToPort=22,\n\
             IpRanges=[dict(CidrIp='0.0.0.0/0', Description='oops'), dict(CidrIp='10.0.0.0/8', Description='vpn')], Ipv6Ranges=[dict(CidrIpv6='::/0')]),\n\
             dict(IpProtocol='tcp', FromPort=443, ToPort=443, IpRanges=[dict(CidrIp='0.0.0.0/0', Description='web')])])\n\
         answer(group)",
    );
    let group = group.as_str().unwrap();
    let private = json!([["0.0.0.0/0", "tcp", 443, "web"], ["10.0.0.0/8", "tcp", 22, "vpn"]]);
    until("the closed group", || (rules(&account, group) == private).then_some(()));
    let finding = stage(&serve, GROUP, "fixed");
    assert_eq!(text(&finding, "resource"), group);

    let (status, output) = serve.command(&["findings", "undo", text(&finding, "id")]);
    assert_eq!(status, 0, "{output}");
    stage(&serve, GROUP, "undone");
    let opened = json!([
        ["0.0.0.0/0", "tcp", 22, "oops"],
        ["0.0.0.0/0", "tcp", 443, "web"],
        ["10.0.0.0/8", "tcp", 22, "vpn"],
        ["::/0", "tcp", 22, null]
    ]);
    assert_eq!(rules(&account, group), opened);
}

#[test]
fn what_is_gone_has_nothing_to_be_taken_back() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve = serve(&account, &webhook, &format!("{{{BUCKET}: {{mode: fix}}}}"));
    account.python("client('s3').create_bucket(Bucket='reports'); client('s3').put_bucket_acl(Bucket='reports', ACL='public-read')");
    let finding = stage(&serve, BUCKET, "fixed");
    account.python("client('s3').delete_bucket(Bucket='reports')");
    let (status, output) = serve.command(&["findings", "undo", text(&finding, "id")]);
    assert_eq!(status, 0, "{output}");
    let undone = stage(&serve, BUCKET, "undone");
    assert_eq!((text(&undone, "status"), text(&undone, "compliance")), ("RESOLVED", "NOT_APPLICABLE"));
    assert_eq!(text(&undone, "reason"), "the bucket is gone");
    let told = |message: &Value| text(message, "text").contains("the bucket is gone");
    until("the message", || webhook.messages().iter().find(|message| told(message)).cloned());
}

/// As a tool opens them, one call and one event each: what is opened while a response is under way is nobody's failure.
#[test]
fn five_rules_in_a_row_are_shut_and_come_back_at_once() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve = serve(&account, &webhook, &format!("{{{GROUP}: {{mode: fix}}}}"));
    for (number, gap) in ["0", "0.1", "0.3"].into_iter().enumerate() {
        let group = account.python(&format!(
            "import time; ec2 = client('ec2'); group = ec2.create_security_group(GroupName='g{number}', Description='d')['GroupId']\n\
             for port in (22, 23, 3389, 5432, 6379):\n    \
                 ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[dict(IpProtocol='tcp', FromPort=port, ToPort=port,\n        \
                     IpRanges=[dict(CidrIp='0.0.0.0/0', Description=f'rule {{port}}')])])\n    \
                 time.sleep({gap})\n\
             answer(group)"
        ));
        let group = group.as_str().unwrap();
        let finding_of = || {
            let list = serve.ask("GET", "/api/findings", None)?.body;
            list["findings"].as_array()?.iter().find(|finding| text(finding, "resource") == group).cloned()
        };
        until("the closed group", || (rules(&account, group) == json!([])).then_some(()));
        let fixed = until("the resolved finding", || {
            finding_of().filter(|finding| text(finding, "stage") == "fixed" && text(finding, "status") == "RESOLVED")
        });
        assert_eq!(rules(&account, group), json!([]));

        let (status, output) = serve.command(&["findings", "undo", text(&fixed, "id")]);
        assert_eq!(status, 0, "{output}");
        until("the undone finding", || finding_of().filter(|finding| text(finding, "stage") == "undone"));
        let opened: Vec<Value> =
            [22, 23, 3389, 5432, 6379].map(|port| json!(["0.0.0.0/0", "tcp", port, format!("rule {port}")])).into();
        assert_eq!(rules(&account, group), json!(opened), "calls {gap} s apart");
    }
}

#[test]
fn an_event_that_names_no_resource_is_told_in_the_log() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve = serve(&account, &webhook, "{}");
    // A group by its name alone, and no id in the answer.
    let event = json!({
        "version": "0", "id": "nameless-1", "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail", "account": "123456789012",
        "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"eventSource": "ec2.amazonaws.com", "eventName": "AuthorizeSecurityGroupIngress",
            "requestParameters": {"groupName": "default"}, "responseElements": {"_return": true}},
    });
    let answer = serve.ask("POST", "/events", Some(event.to_string().as_bytes())).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    until("the warning", || {
        let log = serve.log();
        let line = log.lines().find(|line| line.contains("names no resource"))?;
        assert!(line.contains("WARN") && line.contains(GROUP) && line.contains("nameless-1"), "{line}");
        Some(())
    });
    assert!(serve.finding(GROUP).is_none());
}

#[test]
fn nothing_is_changed_unless_the_user_says_so() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve = serve(&account, &webhook, "{}");
    account.python("client('s3').create_bucket(Bucket='reports'); client('s3').put_bucket_acl(Bucket='reports', ACL='public-read')");
    let finding = stage(&serve, BUCKET, "told");
    assert_eq!((text(&finding, "status"), text(&finding, "compliance")), ("NOTIFIED", "NON_COMPLIANT"));
    assert_eq!(flags(&account), json!("NoSuchPublicAccessBlockConfiguration"));
    assert_eq!(webhook.messages().len(), 1);
    let (status, output) = serve.command(&["findings", "undo", text(&finding, "id")]);
    assert_eq!(status, 2, "nothing was fixed, so nothing is undone: {output}");
}

#[test]
fn a_person_is_asked_first() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve = serve(&account, &webhook, &format!("{{{BUCKET}: {{mode: approve}}}}"));
    account.python("client('s3').create_bucket(Bucket='reports'); client('s3').put_bucket_acl(Bucket='reports', ACL='public-read')");
    let finding = stage(&serve, BUCKET, "waiting_for_a_person");
    let id = text(&finding, "id");
    assert!(!finding.to_string().contains("task_token"), "{finding:#}");
    assert_eq!(flags(&account), json!("NoSuchPublicAccessBlockConfiguration"));
    let (status, output) = serve.command(&["findings", "approve", id, "--as", "bob"]);
    assert_eq!(status, 0, "{output}");
    assert_eq!(output.trim(), format!("approved: `rectify findings show {id}` tells what becomes of it"));
    let fixed = stage(&serve, BUCKET, "fixed");
    assert!(fixed["timeline"].to_string().contains("bob"), "{:#}", fixed["timeline"]);
    assert_eq!(flags(&account), four_flags(true));
    let (status, output) = serve.command(&["findings", "approve", id]);
    assert_eq!(status, 2, "answered already: {output}");
}

#[test]
fn a_denied_fix_is_not_made() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve = serve(&account, &webhook, &format!("{{{BUCKET}: {{mode: approve}}}}"));
    account.python("client('s3').create_bucket(Bucket='reports'); client('s3').put_bucket_acl(Bucket='reports', ACL='public-read')");
    let finding = stage(&serve, BUCKET, "waiting_for_a_person");
    let (status, output) = serve.command(&[
        "findings",
        "approve",
        text(&finding, "id"),
        "--deny",
        "--as",
        "bob",
        "--reason",
        "a public site",
    ]);
    assert_eq!(status, 0, "{output}");
    let told = stage(&serve, BUCKET, "told");
    assert!(told["timeline"].to_string().contains("a public site"), "{:#}", told["timeline"]);
    assert_eq!(flags(&account), json!("NoSuchPublicAccessBlockConfiguration"));
}

#[test]
fn an_exception_is_left_alone() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let mut serve = serve(&account, &webhook, "{}");
    account.python("client('s3').create_bucket(Bucket='reports'); client('s3').put_bucket_acl(Bucket='reports', ACL='public-read')");
    let finding = stage(&serve, BUCKET, "told");
    let (status, output) =
        serve.command(&["findings", "except", text(&finding, "id"), "--reason", "the public site", "--as", "bob"]);
    assert_eq!(status, 0, "{output}");
    let file = serve.folder.path().join("rectify.yaml");
    std::fs::write(&file, format!("mode: fix\n{}", std::fs::read_to_string(&file).unwrap())).unwrap();
    serve.restart(&[]);
    serve.wait_until_ready();
    account.python("client('s3').put_bucket_acl(Bucket='reports', ACL='public-read-write')");
    until("the exception's effect", || {
        let finding = serve.finding(BUCKET)?;
        (text(&finding, "status") == "SUPPRESSED").then_some(())
    });
    assert_eq!(flags(&account), json!("NoSuchPublicAccessBlockConfiguration"));
}
