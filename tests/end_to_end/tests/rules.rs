//! Rules in a running `serve`: what a match makes, and files that come, break and go.
#![expect(clippy::unwrap_used, reason = "test support: what can't be set up fails the test")]

use std::{fs, path::PathBuf};

use end_to_end::{Serve, Webhook, until};
use serde_json::{Value, json};

/// An address where nobody listens: telling needs no AWS.
const NOBODY: &str = "http://127.0.0.1:9";
const BUCKET: &str = "s3-bucket-public-access";
const ACCOUNT: &str = "123456789012";
const ALICE: &str = "arn:aws:iam::123456789012:user/alice";
const TRAIL: &str = "arn:aws:cloudtrail:us-east-1:123456789012:trail/main";

/// As it is published, but for its date and references.
const SIGMA: &str = "title: AWS CloudTrail Important Change
id: 4db60cc0-36fb-42b7-9b58-a5b53019fb74
status: test
description: Detects disabling, deleting and updating of a Trail
tags: [attack.defense-evasion, attack.t1562.008]
logsource:
    product: aws
    service: cloudtrail
detection:
    selection_source:
        eventSource: cloudtrail.amazonaws.com
        eventName: [StopLogging, UpdateTrail, DeleteTrail]
    condition: selection_source
falsepositives: [Valid change in a Trail]
level: medium
";
const SIGMA_ID: &str = "4db60cc0-36fb-42b7-9b58-a5b53019fb74";

/// A `serve` with a folder of rules, a channel that listens, and more configuration.
fn serve(webhook: &Webhook, files: &[(&str, &str)], more: &str) -> Serve {
    let mut serve = Serve::prepare("", NOBODY);
    let folder = rules(&serve);
    fs::create_dir(&folder).unwrap();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    let configuration = format!(
        "account: \"{ACCOUNT}\"\nrules_folder: \"{}\"\nchannels: {{team: {{webhook: {{url: \"{}\"}}}}}}\n{more}",
        folder.display(),
        webhook.url
    );
    fs::write(serve.folder.path().join("rectify.yaml"), configuration).unwrap();
    serve.restart(&[]);
    serve.wait_until_ready();
    serve
}

fn rules(serve: &Serve) -> PathBuf {
    serve.folder.path().join("rules")
}

/// A call as CloudTrail records it and EventBridge delivers it.
fn call(id: &str, source: &str, name: &str, trail: Option<&str>) -> Value {
    let resources: Vec<Value> =
        trail.iter().map(|arn| json!({"ARN": arn, "accountId": ACCOUNT, "type": "AWS::CloudTrail::Trail"})).collect();
    json!({"version": "0", "id": id, "detail-type": "AWS API Call via CloudTrail", "source": format!("aws.{source}"),
        "account": ACCOUNT, "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"eventSource": format!("{source}.amazonaws.com"), "eventName": name, "eventID": id, "awsRegion": "us-east-1",
            "userIdentity": {"type": "IAMUser", "arn": ALICE}, "resources": resources, "requestParameters": {"bucketName": "reports"}}})
}

fn post(serve: &Serve, event: &Value) -> Value {
    let answer = serve.ask("POST", "/events", Some(event.to_string().as_bytes())).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// The findings of a rule, whole, by their resources.
fn findings(serve: &Serve, rule: &str) -> Vec<Value> {
    let list = serve.ask("GET", &format!("/api/findings?guardrail={rule}"), None).unwrap().body;
    let mut found: Vec<Value> = list
        .get("findings")
        .and_then(Value::as_array)
        .unwrap()
        .iter()
        .map(|row| serve.ask("GET", &format!("/api/findings/{}", row["id"].as_str().unwrap()), None).unwrap().body)
        .collect();
    found.sort_by_key(|finding| finding["resource"].as_str().map(str::to_owned));
    found
}

/// The finding of a rule on a resource, once it is at a stage.
fn finding(serve: &Serve, rule: &str, resource: &str, stage: &str) -> Value {
    until(&format!("a finding of `{rule}` on `{resource}` at the stage `{stage}`"), || {
        findings(serve, rule).into_iter().find(|finding| finding["resource"] == resource && finding["stage"] == stage)
    })
}

/// The row of a rule, once it is as wanted (or is not there, as `None`).
fn listed(serve: &Serve, rule: &str, wanted: impl Fn(Option<&Value>) -> bool) {
    until(&format!("the rule `{rule}` to be as wanted"), || {
        let list = serve.ask("GET", "/api/rules", None)?.body;
        let row = list.get("rules")?.as_array()?.iter().find(|row| row["id"] == rule);
        wanted(row).then_some(())
    });
}

fn milestones(finding: &Value) -> Vec<&str> {
    finding["timeline"].as_array().unwrap().iter().filter_map(|entry| entry["what"].as_str()).collect()
}

#[test]
fn a_sigma_rule_makes_a_finding_that_is_told_once_a_window() {
    let webhook = Webhook::start();
    let mut serve = serve(&webhook, &[("cloudtrail.yml", SIGMA)], "");
    // By the first resource of the record, else by who acted.
    assert_eq!(post(&serve, &call("1", "cloudtrail", "DeleteTrail", Some(TRAIL)))["started"], 1);
    assert_eq!(post(&serve, &call("2", "cloudtrail", "StopLogging", None))["started"], 1);
    assert_eq!(post(&serve, &call("3", "cloudtrail", "DescribeTrails", None))["started"], 0);
    let by_actor = finding(&serve, SIGMA_ID, ALICE, "told");
    let by_trail = finding(&serve, SIGMA_ID, TRAIL, "told");
    assert_eq!(findings(&serve, SIGMA_ID).len(), 2);
    assert_eq!(
        (&by_actor["severity"], &by_actor["status"], &by_actor["compliance"]),
        (&json!("MEDIUM"), &json!("NOTIFIED"), &Value::Null)
    );
    assert_eq!(
        (&by_trail["title"], &by_trail["resource_type"]),
        (&json!("AWS CloudTrail Important Change"), &json!("AWS::CloudTrail::Trail"))
    );
    assert_eq!(by_trail["rule"]["tags"], json!(["attack.defense-evasion", "attack.t1562.008"]));
    assert_eq!(milestones(&by_trail), ["noticed", "decided", "told", "left"]);
    assert_eq!(by_trail["timeline"][0]["by"], "1");
    assert_eq!(webhook.messages().len(), 2);
    let told =
        webhook.messages().iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect::<String>();
    assert!(
        told.contains("AWS CloudTrail Important Change") && told.contains("DeleteTrail of cloudtrail.amazonaws.com"),
        "{told}"
    );

    // Within the window: on the timeline, and nothing else. The same event again: nothing at all.
    for (id, duplicates) in [("4", 0), ("5", 0), ("5", 1)] {
        let answer = post(&serve, &call(id, "cloudtrail", "UpdateTrail", Some(TRAIL)));
        assert_eq!((&answer["started"], &answer["duplicates"]), (&json!(0), &json!(duplicates)), "{answer}");
    }
    // Nor does a restart tell again.
    serve.restart(&[]);
    serve.wait_until_ready();
    assert_eq!(post(&serve, &call("6", "cloudtrail", "UpdateTrail", Some(TRAIL)))["started"], 0);
    let again = finding(&serve, SIGMA_ID, TRAIL, "told");
    assert_eq!(again["occurrence"], 1);
    assert_eq!(milestones(&again), ["noticed", "decided", "told", "left", "absorbed", "absorbed", "absorbed"]);

    // What people can do about it, and what they can't.
    let id = again["id"].as_str().unwrap();
    let (status, output) = serve.command(&["findings", "undo", id]);
    assert!(status != 0 && output.contains("nothing of it was fixed"), "{output}");
    let (status, output) = serve.command(&["findings", "approve", id]);
    assert!(status != 0 && output.contains("waits for nobody's approval"), "{output}");
    let (status, output) = serve.command(&["findings", "resolve", id, "--as", "bob", "--reason", "planned"]);
    assert_eq!(status, 0, "{output}");
    assert_eq!(finding(&serve, SIGMA_ID, TRAIL, "told")["status"], "RESOLVED");
    // What matches after that is a new occurrence, which is told.
    assert_eq!(post(&serve, &call("7", "cloudtrail", "UpdateTrail", Some(TRAIL)))["started"], 1);
    until("the third message", || (webhook.messages().len() == 3).then_some(()));
    assert_eq!(finding(&serve, SIGMA_ID, TRAIL, "told")["occurrence"], 2);
    let (status, output) = serve.command(&["findings", "except", id, "--reason", "a drill", "--as", "bob"]);
    assert_eq!(status, 0, "{output}");
    assert_eq!(finding(&serve, SIGMA_ID, TRAIL, "told")["status"], "SUPPRESSED");
}

#[test]
fn files_of_rules_come_break_and_go_while_it_runs() {
    let webhook = Webhook::start();
    let serve = serve(&webhook, &[], "rules: {late: {dedup_window_seconds: 0}}\n");
    let file = rules(&serve).join("late.yaml");
    let keys = |id: &str| call(id, "kms", "ScheduleKeyDeletion", None);
    assert_eq!(post(&serve, &keys("1"))["started"], 0);
    let text = "id: late\ntitle: A key is to be deleted\nseverity: HIGH\nevent:\n  source: [aws.kms]\n  detail: {eventName: [ScheduleKeyDeletion]}\n";
    fs::write(&file, text).unwrap();
    listed(&serve, "late", |row| row.is_some_and(|row| row["problem"].is_null()));
    assert_eq!(post(&serve, &keys("2"))["started"], 1);
    assert_eq!(finding(&serve, "late", ALICE, "told")["title"], "A key is to be deleted");
    let (status, output) = serve.command(&["rules"]);
    assert!(status == 0 && output.contains("late") && output.contains("A key is to be deleted"), "{output}");

    // Half a file is no reason to lose the rule.
    fs::write(&file, "id: late\ntitle: [").unwrap();
    listed(&serve, "late", |row| row.is_some_and(|row| !row["problem"].is_null()));
    assert_eq!(post(&serve, &keys("3"))["started"], 1, "a window of no length: each match is an occurrence");
    let (status, output) = serve.command(&["rules", "--format", "jsonl"]);
    assert!(status == 1 && output.contains("its last good version holds"), "{output}");
    fs::write(&file, text.replace("is to be", "will be")).unwrap();
    listed(&serve, "late", |row| row.is_some_and(|row| row["title"] == "A key will be deleted"));
    until("the occurrence before to be told", || (webhook.messages().len() == 2).then_some(()));
    finding(&serve, "late", ALICE, "told");
    assert_eq!(post(&serve, &keys("4"))["started"], 1);
    until("the third message", || (webhook.messages().len() == 3).then_some(()));

    fs::remove_file(&file).unwrap();
    listed(&serve, "late", |row| row.is_none());
    let before = finding(&serve, "late", ALICE, "told");
    assert_eq!(post(&serve, &keys("5"))["started"], 0);
    assert_eq!(finding(&serve, "late", ALICE, "told")["generation"], before["generation"], "no rule, no match");
    assert_eq!(before["occurrence"], 3);
}

#[test]
fn a_rule_hands_its_matches_to_a_guardrail_and_a_quiet_one_tells_nobody() {
    let webhook = Webhook::start();
    let to_guardrail = format!(
        "id: tagged\ntitle: Tagged\nguardrail: {BUCKET}\nevent: {{detail: {{eventName: [PutBucketTagging]}}}}\n"
    );
    let more = "rules: {quiet.yaml: {severity: LOW}, off.yaml: {enabled: false}}\n";
    let files = [
        ("tagged.yaml", to_guardrail.as_str()),
        ("quiet.yaml", "source: [aws.kms]"),
        ("off.yaml", "source: [aws.kms]"),
    ];
    let serve = serve(&webhook, &files, more);
    assert_eq!(post(&serve, &call("1", "s3", "PutBucketTagging", None))["started"], 1);
    assert_eq!(
        serve.finding(BUCKET).unwrap()["resource"],
        "reports",
        "though the guardrail's own pattern does not match"
    );
    assert!(findings(&serve, "tagged").is_empty());
    // Where both match it is one sighting.
    let mut both = call("2", "s3", "PutBucketAcl", None);
    both["detail"]["requestParameters"]["bucketName"] = json!("others");
    fs::write(rules(&serve).join("tagged.yaml"), to_guardrail.replace("PutBucketTagging", "PutBucketAcl")).unwrap();
    until("the rule to be read again", || {
        let log = serve.log();
        (log.matches("rules in force").count() >= 2).then_some(())
    });
    assert_eq!(post(&serve, &both)["started"], 1);

    assert_eq!(post(&serve, &call("3", "kms", "CreateKey", None))["started"], 0);
    let quiet = finding(&serve, "quiet.yaml", ALICE, "left");
    assert_eq!((&quiet["status"], milestones(&quiet)), (&json!("NEW"), vec!["noticed", "decided"]));
    assert!(quiet["occurrences"][0]["why"].as_str().unwrap().contains("rules_tell_from"), "{quiet}");
    assert!(findings(&serve, "off.yaml").is_empty());
    assert!(webhook.messages().iter().all(|message| !message["text"].as_str().unwrap().contains("quiet")));
}

#[test]
fn a_rule_starts_a_playbook_once_a_window() {
    let webhook = Webhook::start();
    let playbooks = tempfile::tempdir().unwrap();
    let with_finding = "input: {finding: \"{% $finding.id %}\"}";
    for (id, start) in [
        ("by-rule", format!("rules: [{SIGMA_ID}]\n{with_finding}")),
        ("named", format!("rules: [other]\n{with_finding}")),
        ("by-event", "event: {source: [aws.kms]}".to_owned()),
    ] {
        let text = format!(
            "id: {id}\ntitle: Look\nseverity: HIGH\n{start}\n---\nQueryLanguage: JSONata\nStartAt: Done\nStates: {{Done: {{Type: Succeed}}}}\n"
        );
        fs::write(playbooks.path().join(format!("{id}.asl.yaml")), text).unwrap();
    }
    let more = format!("playbooks_folder: \"{}\"\n", playbooks.path().display());
    let naming =
        "id: naming\ntitle: Naming\nseverity: LOW\nplaybook: named\nevent: {detail: {eventName: [DeleteTrail]}}\n";
    let serve = serve(&webhook, &[("cloudtrail.yml", SIGMA), ("naming.yaml", naming)], &more);
    // Told of one rule's match; a playbook for each rule, though nobody is told of the other.
    assert_eq!(post(&serve, &call("1", "cloudtrail", "DeleteTrail", Some(TRAIL)))["started"], 3);
    assert_eq!(post(&serve, &call("2", "cloudtrail", "DeleteTrail", Some(TRAIL)))["started"], 0, "within the window");
    assert_eq!(post(&serve, &call("3", "kms", "CreateKey", None))["started"], 1, "by the playbook's own pattern");
    for (rule, stage, id) in [(SIGMA_ID, "told", "by-rule"), ("naming", "left", "named")] {
        let finding = finding(&serve, rule, TRAIL, stage);
        let started: Vec<&Value> = finding["timeline"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["what"] == "playbook_started")
            .collect();
        assert_eq!(started.len(), 1, "{finding:#}");
        assert_eq!((&started[0]["by"], &started[0]["detail"]["Playbook"]), (&json!("1"), &json!(id)));
        let arn = started[0]["detail"]["Execution"].as_str().unwrap();
        assert!(arn.contains(&format!("execution:rectify-playbook-{id}:")), "{arn}");
    }
    // What is not there is told: a rule that waits for no playbook, a playbook that waits for no rule.
    assert!(serve.log().contains("to be started by a rule that is not there"));
    let lost = naming.replace("id: naming", "id: lost").replace("playbook: named", "playbook: nmed");
    fs::write(rules(&serve).join("lost.yaml"), lost).unwrap();
    until("the file to be refused", || {
        let list = serve.ask("GET", "/api/rules", None)?.body;
        let reason = list.pointer("/refused/0/reason")?.as_str()?.to_owned();
        reason.contains("did you mean `named`?").then_some(())
    });
}
