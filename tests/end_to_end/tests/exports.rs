//! Findings out and in: Security Hub is told of what Rectify finds, Rectify looks at what Security Hub found.

use end_to_end::{Account, Serve, Webhook, until};
use serde_json::{Value, json};

const BUCKET: &str = "s3-bucket-public-access";
const EXPORTS: &str = "exports: {security_hub: {enabled: true}}\n";

fn polling(account: &Account) -> String {
    format!("{EXPORTS}sources:\n  - sqs: {{queue_url: \"{}\"}}\n", account.queue_url)
}

fn text<'a>(finding: &'a Value, pointer: &str) -> &'a str {
    finding.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn open_bucket(account: &Account, name: &str) {
    account.python(&format!(
        "client('s3').create_bucket(Bucket='{name}'); client('s3').put_bucket_acl(Bucket='{name}', ACL='public-read')"
    ));
}

/// What Security Hub has of a bucket, once it is as wanted: `(Compliance.Status, Workflow.Status)`.
fn imported(account: &Account, bucket: &str, compliance: &str) -> Value {
    until(&format!("the finding `{compliance}` of `{bucket}` in Security Hub"), || {
        let findings = account.python("answer(client('securityhub').get_findings()['Findings'])");
        let of_bucket = |finding: &&Value| text(finding, "/Resources/0/Id") == format!("arn:aws:s3:::{bucket}");
        let found: Vec<&Value> = findings.as_array()?.iter().filter(of_bucket).collect();
        assert!(found.len() < 2, "one finding, however often it changes: {found:#?}");
        found.into_iter().find(|finding| text(finding, "/Compliance/Status") == compliance).cloned()
    })
}

fn stage(serve: &Serve, wanted: &str) -> Value {
    until(&format!("stage `{wanted}`"), || serve.finding(BUCKET).filter(|finding| finding["stage"] == wanted))
}

#[test]
fn security_hub_has_what_was_found_and_that_it_is_over() {
    let Some(account) = Account::start() else { return };
    let serve = Serve::start(&polling(&account), &account.url);
    open_bucket(&account, "reports");
    let open = imported(&account, "reports", "FAILED");
    let finding = stage(&serve, "told");
    assert_eq!(open["Id"], format!("rectify/{}", finding["id"].as_str().unwrap()));
    assert_eq!(open["ProductArn"], "arn:aws:securityhub:us-east-1:123456789012:product/123456789012/default");
    assert!(open["Compliance"]["RelatedRequirements"].to_string().contains("S3.2"), "{open:#}");
    until("the note that it was taken", || {
        let finding = serve.finding(BUCKET)?;
        (finding["exports"]["security_hub"]["exported_version"] == finding["version"]).then_some(())
    });

    account.python(
        "client('s3').put_public_access_block(Bucket='reports', PublicAccessBlockConfiguration=dict(BlockPublicAcls=True, \
         IgnorePublicAcls=True, BlockPublicPolicy=True, RestrictPublicBuckets=True))",
    );
    let over = imported(&account, "reports", "PASSED");
    assert_eq!((&over["Id"], &over["Workflow"]["Status"]), (&open["Id"], &json!("RESOLVED")));
    assert!(over["UpdatedAt"].as_str() > open["UpdatedAt"].as_str(), "{over:#}");

    // A call that does no harm leaves a finding that nobody else hears of.
    account.python("client('s3').create_bucket(Bucket='private')");
    until("the finding of the harmless call", || {
        let list = serve.ask("GET", "/api/findings?status=RESOLVED", None)?.body;
        list["findings"].as_array()?.iter().find(|finding| finding["resource"] == "private").map(drop)
    });
    until("the end of what is pending", || {
        let list = serve.ask("GET", "/api/findings?format=json", None)?.body;
        let all = list["findings"].as_array()?.clone();
        let is_told = |finding: &Value| {
            let shown = serve.ask("GET", &format!("/api/findings/{}", finding["id"].as_str()?), None)?.body;
            (shown["exports"]["security_hub"]["exported_version"] == shown["version"]).then_some(())
        };
        all.iter().all(|finding| is_told(finding).is_some()).then_some(())
    });
    let ids =
        account.python("answer([f['Resources'][0]['Id'] for f in client('securityhub').get_findings()['Findings']])");
    assert_eq!(ids, json!(["arn:aws:s3:::reports"]));
}

#[test]
fn what_security_hub_did_not_take_is_kept_and_told_after_a_crash() {
    let Some(account) = Account::start() else { return };
    let mut serve = Serve::prepare(&polling(&account), &account.url);
    // Nobody listens on port 1.
    serve.restart(&[("AWS_ENDPOINT_URL_SECURITYHUB", "http://127.0.0.1:1")]);
    serve.wait_until_ready();
    open_bucket(&account, "reports");
    let refused = until("the refusal", || {
        let finding = serve.finding(BUCKET)?;
        finding["exports"]["security_hub"]["error"].is_string().then_some(finding)
    });
    // The response goes on as if nothing were.
    let id = refused["id"].as_str().unwrap().to_owned();
    stage(&serve, "told");
    let (status, output) = serve.command(&["findings", "show", &id]);
    assert!(status == 0 && output.contains("security_hub     not taken"), "{output}");
    assert_eq!(serve.log().matches("Security Hub takes no findings").count(), 1, "told once: {}", serve.log());
    serve.kill();

    serve.restart(&[]);
    serve.wait_until_ready();
    let open = imported(&account, "reports", "FAILED");
    assert_eq!(open["Id"], format!("rectify/{id}"));
}

fn security_hub_event(id: &str, finding: &Value) -> String {
    json!({
        "version": "0", "id": id, "detail-type": "Security Hub Findings - Imported", "source": "aws.securityhub",
        "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"findings": [finding]},
    })
    .to_string()
}

/// A finding of Security Hub's own control, as its user guide has it.
fn control(bucket: &str, status: &str) -> Value {
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("arn:aws:securityhub:us-east-1:123456789012:security-control/S3.2/finding/{bucket}"),
        "ProductArn": "arn:aws:securityhub:us-east-1::product/aws/securityhub", "Region": "us-east-1",
        "GeneratorId": "security-control/S3.2", "AwsAccountId": "123456789012",
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "CreatedAt": "2026-01-01T00:00:00Z", "UpdatedAt": "2026-01-01T00:00:00Z", "Severity": {"Label": "HIGH"},
        "Title": "S3 general purpose buckets should block public read access", "Description": "…",
        "Resources": [{"Type": "AwsS3Bucket", "Id": format!("arn:aws:s3:::{bucket}"), "Partition": "aws", "Region": "us-east-1"}],
        "Compliance": {"Status": status, "SecurityControlId": "S3.2"}, "Workflow": {"Status": "NEW"}, "RecordState": "ACTIVE",
    })
}

#[test]
fn a_finding_of_security_hub_is_looked_at_and_proved() {
    let Some(account) = Account::start() else { return };
    open_bucket(&account, "reports");
    account.python("client('s3').create_bucket(Bucket='private')");
    // No queue is polled: nobody but Security Hub says that something is wrong.
    let serve = Serve::start(&format!("mode: alert\n{EXPORTS}"), &account.url);
    let post = |body: &str| {
        let answer = serve.ask("POST", "/events", Some(body.as_bytes())).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["started"].as_u64().unwrap()
    };
    // That all is well is no news where nothing is open.
    assert_eq!(post(&security_hub_event("passed", &control("reports", "PASSED"))), 0);
    assert_eq!(post(&security_hub_event("failed", &control("reports", "FAILED"))), 1);
    let finding = stage(&serve, "told");
    assert_eq!((&finding["compliance"], &finding["resource"]), (&json!("NON_COMPLIANT"), &json!("reports")));
    assert!(finding["timeline"][0].to_string().contains("securityhub.amazonaws.com"), "{:#}", finding["timeline"]);

    // Passed there, and open here: the inspection decides, and it is as it was.
    assert_eq!(post(&security_hub_event("passed again", &control("reports", "PASSED"))), 1);
    let inspected = until("the second inspection", || {
        let finding = stage(&serve, "told");
        let inspections = finding["timeline"].to_string().matches("\"inspected\"").count();
        (inspections == 2 && finding["under_way"].is_null()).then_some(finding)
    });
    assert_eq!((&inspected["status"], &inspected["compliance"]), (&json!("NOTIFIED"), &json!("NON_COMPLIANT")));

    // What somebody else holds wrong is not wrong by that.
    assert_eq!(post(&security_hub_event("mistaken", &control("private", "FAILED"))), 1);
    until("the finding of the private bucket", || {
        let list = serve.ask("GET", "/api/findings?status=RESOLVED", None)?.body;
        list["findings"].as_array()?.iter().find(|finding| finding["resource"] == "private").map(drop)
    });

    // What we told Security Hub comes back, and starts nothing.
    let ours = imported(&account, "reports", "FAILED");
    assert_eq!(post(&security_hub_event("ours", &ours)), 0);
    let config = json!({
        "version": "0", "id": "config", "detail-type": "Config Rules Compliance Change", "source": "aws.config",
        "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"configRuleName": "s3-bucket-public-read-prohibited", "resourceType": "AWS::S3::Bucket", "resourceId": "reports",
            "awsAccountId": "123456789012", "awsRegion": "us-east-1", "newEvaluationResult": {"complianceType": "NON_COMPLIANT"}},
    });
    assert_eq!(post(&config.to_string()), 1);
}

/// A custom rule's function forwards what it was invoked with; an inspection answers, with the token that came along, also after a crash.
/// (The emulated account knows no rules: a listener stands for AWS Config.)
#[test]
fn config_is_answered_with_its_token() {
    let Some(account) = Account::start() else { return };
    open_bucket(&account, "reports");
    let mut serve = Serve::prepare("mode: alert\n", &account.url);
    serve.restart(&[("AWS_ENDPOINT_URL_CONFIG_SERVICE", "http://127.0.0.1:1")]);
    serve.wait_until_ready();
    let item = json!({"configurationItem": {"configurationItemCaptureTime": "2026-01-01T00:00:00Z", "awsAccountId": "123456789012",
        "resourceId": "reports", "ARN": "arn:aws:s3:::reports", "awsRegion": "us-east-1", "resourceType": "AWS::S3::Bucket"},
        "messageType": "ConfigurationItemChangeNotification"});
    let invocation = json!({
        "invokingEvent": item.to_string(), "resultToken": "the-token", "configRuleName": "s3-bucket-public-read-prohibited",
        "configRuleArn": "arn:aws:config:us-east-1:123456789012:config-rule/config-rule-1", "accountId": "123456789012",
    });
    let answer = serve.ask("POST", "/events", Some(invocation.to_string().as_bytes())).unwrap();
    assert_eq!((answer.status, &answer.body["started"]), (200, &json!(1)), "{}", answer.body);
    until("the refusal", || serve.log().contains("AWS Config takes no answer").then_some(()));
    assert!(!serve.log().contains("the-token"), "the token is a secret");
    serve.kill();

    let config = Webhook::answering("{}");
    serve.restart(&[("AWS_ENDPOINT_URL_CONFIG_SERVICE", &config.url)]);
    serve.wait_until_ready();
    let put = until("the evaluation", || config.messages().into_iter().next());
    let evaluation = &put["Evaluations"][0];
    assert_eq!((&put["ResultToken"], &evaluation["ComplianceType"]), (&json!("the-token"), &json!("NON_COMPLIANT")));
    assert_eq!(evaluation["ComplianceResourceId"], "reports");
    assert!(evaluation["Annotation"].as_str().is_some_and(|reason| reason.contains("ACL")), "{put}");
}

/// By botocore's model of the API, and by the models of OCSF where this Python has them.
#[test]
fn what_is_exported_is_valid() {
    let Some(account) = Account::start() else { return };
    let serve = Serve::start(&format!("sources:\n  - sqs: {{queue_url: \"{}\"}}\n", account.queue_url), &account.url);
    open_bucket(&account, "reports");
    let finding = stage(&serve, "told");
    let (status, output) =
        serve.command(&["findings", "except", finding["id"].as_str().unwrap(), "--reason", "a site", "--as", "bob"]);
    assert_eq!(status, 0, "{output}");
    let excepted = serve.finding(BUCKET).unwrap();
    let entry = excepted["timeline"].as_array().and_then(|timeline| timeline.last()).unwrap();
    assert_eq!((&entry["what"], &entry["by"]), (&json!("excepted"), &json!("bob")));

    let file = serve.folder.path().join("asff.json");
    let (status, output) =
        serve.command(&["findings", "export", "--format", "asff", "--array", "--output", file.to_str().unwrap()]);
    assert!(status == 0 && output.starts_with("1 findings are in"), "{output}");
    let asff: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let report = account.python(&format!(
        "import botocore.session, botocore.validate\n\
         shape = botocore.session.get_session().get_service_model('securityhub').operation_model('BatchImportFindings').input_shape\n\
         findings = json.loads({:?})\n\
         answer(botocore.validate.ParamValidator().validate({{'Findings': findings}}, shape).generate_report())",
        asff.to_string()
    ));
    assert_eq!(report, json!(""));

    let (status, output) = serve.command(&["findings", "export", "--format", "ocsf", "--guardrail", BUCKET]);
    assert_eq!(status, 0, "{output}");
    let ocsf: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ocsf.len(), 1);
    let validated = account.python(&format!(
        "finding = json.loads({:?})\n\
         def validated():\n    \
             try:\n        \
                 from py_ocsf_models.events.findings.detection_finding import DetectionFinding\n        \
                 import ocsf_emitter\n    \
             except ImportError as missing: return str(missing)\n    \
             DetectionFinding.model_validate(finding)\n    \
             ocsf_emitter.validate(ocsf_emitter.models.DetectionFinding.model_validate(finding))\n    \
             return 'valid'\n\
         answer(validated())",
        ocsf[0].to_string()
    ));
    if validated != "valid" {
        skipped(&validated);
    }
    let (status, output) = serve.command(&["findings", "export", "--format", "json", "--status", "SUPPRESSED"]);
    assert_eq!((status, output.as_str()), (0, ""));
    let (status, output) = serve.command(&["findings", "export", "--format", "json"]);
    assert!(status == 0 && output.contains("\"timeline\""), "{output}");
    assert_eq!(serve.ask("GET", "/api/findings?format=xml", None).unwrap().status, 400);
}

#[expect(clippy::print_stderr, reason = "a skip is told")]
fn skipped(reason: &Value) {
    eprintln!("skipped: OCSF is not validated ({reason}): `pip install py-ocsf-models ocsf-emitter` in RECTIFY_PYTHON");
}
