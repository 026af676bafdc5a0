//! Tables of others' findings, and what a guardrail makes of them.

use asl::{Document, Format, parse::AnyResource};
use serde_json::{Value, json};

use super::*;

const ACCOUNT: &str = "123456789012";

fn guardrail(text: &str) -> Guardrail {
    let document = Document::parse(text, Format::Yaml).unwrap();
    Guardrail::parse(&document, &AnyResource).unwrap().0
}

fn guardrails() -> [Guardrail; 2] {
    [
        guardrail(include_str!("../../../../guardrails/s3/s3-bucket-public-access.yaml")),
        guardrail(include_str!("../../../../guardrails/ec2/security-group-open-to-world.yaml")),
    ]
}

fn event(source: &str, detail_type: &str, detail: Value) -> Event {
    Event::from_envelope(json!({
        "version": "0", "id": "event-1", "source": source, "detail-type": detail_type, "account": ACCOUNT, "region": "us-east-1",
        "time": "2026-01-01T00:00:00Z", "resources": [], "detail": detail,
    }))
    .unwrap()
}

/// Which resources are looked at, `GUARDRAIL: RESOURCE in ACCOUNT, REGION`, and `(passed)` where nothing is said to be wrong.
fn seen(event: &Event) -> Vec<String> {
    let mut seen = Vec::new();
    for reported in reported(event) {
        for guardrail in guardrails() {
            seen.extend(guardrail.reported_sightings(&reported, event).into_iter().map(
                |ReportedSighting { sighting, is_failing }| {
                    assert_eq!(sighting.event_id, "event-1");
                    let Sighting { guardrail, resource, account, region, .. } = sighting;
                    let (name, passed) = (
                        guardrail.split('-').next().unwrap_or_default().to_owned(),
                        if is_failing { "" } else { " (passed)" },
                    );
                    format!("{name}: {resource} in {account}, {region}{passed}")
                },
            ));
        }
    }
    seen
}

/// Sample: <https://docs.aws.amazon.com/securityhub/latest/userguide/sample-control-findings.html>, of another control.
fn asff(changes: &[(&str, Value)]) -> Value {
    let mut finding = json!({
        "SchemaVersion": "2018-10-08",
        "Id": "arn:aws:securityhub:us-east-1:123456789012:subscription/aws-foundational-security-best-practices/v/1.0.0/S3.2/finding/a",
        "ProductArn": "arn:aws:securityhub:us-east-1::product/aws/securityhub",
        "Region": "us-east-1",
        "GeneratorId": "aws-foundational-security-best-practices/v/1.0.0/S3.2",
        "AwsAccountId": "111122223333",
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards/AWS-Foundational-Security-Best-Practices"],
        "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::reports", "Partition": "aws", "Region": "eu-west-1"}],
        "Compliance": {"Status": "FAILED"},
        "Workflow": {"Status": "NEW"},
        "RecordState": "ACTIVE",
    });
    for (pointer, value) in changes {
        if let Some(place) = finding.pointer_mut(pointer) {
            *place = value.clone();
        } else {
            finding[pointer.trim_start_matches('/')] = value.clone();
        }
    }
    finding
}

#[test]
fn security_hub_in_asff() {
    let check = |changes: &[(&str, Value)], expected: &[&str]| {
        for detail_type in ["Security Hub Findings - Imported", "Security Hub Findings - Custom Action"] {
            let event = event("aws.securityhub", detail_type, json!({"findings": [asff(changes)]}));
            assert_eq!(seen(&event), expected, "{changes:?}");
        }
    };
    let (failed, passed) =
        ("s3: reports in 111122223333, eu-west-1", "s3: reports in 111122223333, eu-west-1 (passed)");
    check(&[], &[failed]);
    check(&[("/Compliance/Status", json!("WARNING"))], &[failed]);
    check(&[("/Compliance/Status", json!("PASSED"))], &[passed]);
    check(&[("/RecordState", json!("ARCHIVED"))], &[passed]);
    check(&[("/Workflow/Status", json!("RESOLVED"))], &[passed]);
    check(&[("/Workflow/Status", json!("NOTIFIED"))], &[failed]);
    // Suppressed there, or not checked at all: nothing is said.
    check(&[("/Workflow/Status", json!("SUPPRESSED"))], &[]);
    check(&[("/Compliance/Status", json!("NOT_AVAILABLE"))], &[]);
    // Consolidated controls, other standards, controls of nobody, a rule of AWS Config behind it.
    check(&[("/GeneratorId", json!("security-control/S3.8"))], &[failed]);
    check(&[("/GeneratorId", json!("cis-aws-foundations-benchmark/v/1.4.0/3.7"))], &[]);
    check(&[("/GeneratorId", json!("security-control/S3.1"))], &[]);
    let cis = ("/GeneratorId", json!("arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/2.7"));
    check(std::slice::from_ref(&cis), &[]);
    check(&[cis.clone(), ("/Compliance", json!({"Status": "FAILED", "SecurityControlId": "S3.3"}))], &[failed]);
    let rule = json!({"RelatedAWSResources:0/name": "securityhub-s3-bucket-public-read-prohibited-1a2b3c4d", "RelatedAWSResources:0/type": "AWS::Config::ConfigRule"});
    check(&[cis, ("/ProductFields", rule)], &[failed]);
    // A finding that GuardDuty gave to Security Hub has no compliance.
    check(
        &[
            ("/GeneratorId", json!("arn:aws:guardduty:us-east-1:111122223333:detector/d")),
            ("/Compliance", Value::Null),
            ("/Types", json!(["Effects/Data Exposure/Policy:S3-BucketAnonymousAccessGranted"])),
        ],
        &[failed],
    );
    // The type has to be the guardrail's: an account is no bucket, nor is an ARN of something else.
    let resources = |kind: &str, id: &str| [("/Resources", json!([{"Type": kind, "Id": id}]))];
    check(&resources("AwsAccount", "AWS::::Account:111122223333"), &[]);
    check(&resources("Other", "arn:aws:s3:::reports"), &[]);
    check(&resources("AwsS3Bucket", "arn:aws:sqs:us-east-1:111122223333:reports"), &[]);
    check(&resources("AwsS3Bucket", "reports"), &["s3: reports in 111122223333, us-east-1"]);
    check(&[("/Resources", json!([]))], &[]);
    // An ARN's own account and Region are more exact than the finding's.
    let group = "arn:aws:ec2:eu-central-1:444455556666:security-group/sg-1";
    check(
        &[
            ("/GeneratorId", json!("security-control/EC2.19")),
            ("/Resources", json!([{"Type": "AwsEc2SecurityGroup", "Id": group}])),
        ],
        &["security: sg-1 in 444455556666, eu-central-1"],
    );
    // What is no finding.
    for detail in [json!({}), json!({"findings": "none"}), json!({"findings": [null, 1, {}]})] {
        assert_eq!(seen(&event("aws.securityhub", "Security Hub Findings - Imported", detail)), [""; 0]);
    }
}

#[test]
fn our_own_findings_do_not_come_back() {
    let sighting = Sighting {
        rule: None,
        guardrail: "s3-bucket-public-access".to_owned(),
        title: "open".to_owned(),
        severity: crate::Severity::High,
        resource_type: "AWS::S3::Bucket".to_owned(),
        resource: "reports".to_owned(),
        account: ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        event_id: "e".to_owned(),
        event_time: "2026-01-01T00:00:00Z".parse().unwrap(),
        actor: None,
    };
    let finding = crate::Finding::sight(None, &sighting, sighting.event_time).finding;
    let controls = guardrails()[0].controls.clone();
    let imported =
        |finding: Value| event("aws.securityhub", "Security Hub Findings - Imported", json!({"findings": [finding]}));
    let v2 = |finding: Value| event("aws.securityhub", "Findings Imported V2", json!({"findings": [finding]}));
    assert_eq!(reported(&imported(finding.asff(&controls))), []);
    assert_eq!(reported(&v2(finding.ocsf(&controls))), []);
    // Somebody else's own integration is not ours.
    let mut other = finding.asff(&controls);
    other["GeneratorId"] = json!("S3.2");
    other["Compliance"] = json!({"Status": "FAILED"});
    assert_eq!(seen(&imported(other)), ["s3: reports in 123456789012, us-east-1"]);
}

#[test]
fn security_hub_in_ocsf() {
    let check = |changes: &[(&str, Value)], expected: &[&str]| {
        let mut finding = json!({
            "metadata": {"version": "1.6.0", "product": {"name": "Security Hub", "vendor_name": "AWS"}},
            "class_uid": 2003, "activity_id": 1, "status_id": 1, "severity_id": 4,
            "compliance": {"control": "S3.2", "status_id": 3},
            "finding_info": {"uid": "f", "title": "t", "types": ["Software and Configuration Checks"]},
            "cloud": {"provider": "AWS", "region": "us-west-2", "account": {"uid": "111122223333"}},
            "resources": [{"type": "AWS::S3::Bucket", "uid": "arn:aws:s3:::reports"}],
        });
        for (pointer, value) in changes {
            *finding.pointer_mut(pointer).unwrap() = value.clone();
        }
        assert_eq!(
            seen(&event("aws.securityhub", "Findings Imported V2", json!({"findings": [finding]}))),
            expected,
            "{changes:?}"
        );
    };
    let (failed, passed) =
        ("s3: reports in 111122223333, us-west-2", "s3: reports in 111122223333, us-west-2 (passed)");
    check(&[], &[failed]);
    check(&[("/activity_id", json!(2)), ("/status_id", json!(2))], &[failed]);
    check(&[("/activity_id", json!(3))], &[passed]);
    check(&[("/status_id", json!(4))], &[passed]);
    check(&[("/status_id", json!(3))], &[]);
    check(&[("/compliance/status_id", json!(1))], &[passed]);
    check(&[("/compliance/status_id", json!(2))], &[failed]);
    check(&[("/compliance/status_id", json!(0))], &[]);
    check(&[("/compliance/control", json!("S3.99"))], &[]);
    check(&[("/resources/0/type", json!("AwsS3Bucket"))], &[failed]);
    check(&[("/resources/0/type", json!("AWS::EC2::Instance"))], &[]);
    check(
        &[("/compliance", Value::Null), ("/finding_info/types", json!(["Policy:S3/BucketPublicAccessGranted"]))],
        &[failed],
    );
}

/// Samples: <https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-format.html>
#[test]
fn guardduty() {
    let check = |kind: &str, archived: bool, resource: Value, expected: &[&str]| {
        let detail = json!({
            "type": kind, "accountId": "111122223333", "region": "eu-west-1", "resource": resource, "service": {"archived": archived},
        });
        assert_eq!(seen(&event("aws.guardduty", "GuardDuty Finding", detail)), expected, "{kind}");
    };
    let bucket = json!({"resourceType": "S3Bucket", "s3BucketDetails": [{"arn": "arn:aws:s3:::reports", "name": "reports"}, {}]});
    check("Policy:S3/BucketAnonymousAccessGranted", false, bucket.clone(), &["s3: reports in 111122223333, eu-west-1"]);
    check(
        "Policy:S3/BucketAnonymousAccessGranted",
        true,
        bucket.clone(),
        &["s3: reports in 111122223333, eu-west-1 (passed)"],
    );
    check("Policy:S3/AccountBlockPublicAccessDisabled", false, bucket, &[]);
    let group = |id: &str| json!({"securityGroups": [{"groupId": id, "groupName": "g"}]});
    let instance = json!({"resourceType": "Instance", "instanceDetails": {"instanceId": "i-1", "networkInterfaces": [group("sg-1"), group("sg-2"), group("sg-1")]}});
    check(
        "Recon:EC2/PortProbeUnprotectedPort",
        false,
        instance.clone(),
        &["security: sg-1 in 111122223333, eu-west-1", "security: sg-2 in 111122223333, eu-west-1"],
    );
    check("Backdoor:EC2/C&CActivity.B!DNS", false, instance, &[]);
    check("Recon:EC2/PortProbeUnprotectedPort", false, json!({"resourceType": "Instance"}), &[]);
}

#[test]
fn config() {
    let check = |rule: &str, kind: &str, id: &str, verdict: &str, expected: &[&str]| {
        let detail = json!({
            "configRuleName": rule, "resourceType": kind, "resourceId": id, "awsAccountId": "111122223333", "awsRegion": "eu-west-1",
            "newEvaluationResult": {"complianceType": verdict}, "messageType": "ComplianceChangeNotification",
        });
        assert_eq!(seen(&event("aws.config", "Config Rules Compliance Change", detail)), expected, "{rule} {verdict}");
    };
    let (bucket, failed) = ("AWS::S3::Bucket", ["s3: reports in 111122223333, eu-west-1"]);
    for rule in [
        "s3-bucket-public-read-prohibited",
        "S3_BUCKET_PUBLIC_READ_PROHIBITED",
        "securityhub-s3-bucket-public-read-prohibited-1a2b3c4d",
        "s3-bucket-public-read-prohibited-conformance-pack-abcdefg",
    ] {
        check(rule, bucket, "reports", "NON_COMPLIANT", &failed);
    }
    check("s3-bucket-ssl-requests-only", bucket, "reports", "NON_COMPLIANT", &[]);
    check("s3-bucket-public-read-prohibited-of-ours", bucket, "reports", "NON_COMPLIANT", &[]);
    let rule = "s3-bucket-public-read-prohibited";
    check(rule, bucket, "reports", "COMPLIANT", &["s3: reports in 111122223333, eu-west-1 (passed)"]);
    check(rule, bucket, "reports", "NOT_APPLICABLE", &["s3: reports in 111122223333, eu-west-1 (passed)"]);
    check(rule, bucket, "reports", "INSUFFICIENT_DATA", &[]);
    check(rule, "AWS::::Account", "111122223333", "NON_COMPLIANT", &[]);
    check(
        "restricted-ssh",
        "AWS::EC2::SecurityGroup",
        "sg-1",
        "NON_COMPLIANT",
        &["security: sg-1 in 111122223333, eu-west-1"],
    );
    // Names of AWS Config's own, which no guardrail could call.
    let detail = json!({"configRuleName": "r", "resourceType": "AWS::IAM::User", "resourceId": "AIDACKCEVSQ6C2EXAMPLE", "newEvaluationResult": {"complianceType": "NON_COMPLIANT"}});
    assert_eq!(reported(&event("aws.config", "Config Rules Compliance Change", detail))[0].resources, []);
}

#[test]
fn a_custom_rule_of_config_asks() {
    let detail = json!({
        "configRuleName": "S3_BUCKET_PUBLIC_READ_PROHIBITED", "resultToken": "t", "resourceType": "AWS::S3::Bucket", "resourceId": "reports",
        "awsAccountId": ACCOUNT, "awsRegion": "us-east-1", "configurationItemCaptureTime": "2026-01-01T00:00:00Z",
    });
    let asked = event("aws.config", "Config Rule Invocation", detail);
    assert_eq!(seen(&asked), ["s3: reports in 123456789012, us-east-1"]);
    let invocation = RuleInvocation::of(&asked).unwrap();
    assert!(!format!("{invocation:?}").contains("result_token"));
    assert_eq!(
        invocation.put_evaluations(crate::Compliance::NonCompliant, &"x".repeat(300)),
        json!({
            "Evaluations": [{
                "ComplianceResourceType": "AWS::S3::Bucket", "ComplianceResourceId": "reports", "ComplianceType": "NON_COMPLIANT",
                "OrderingTimestamp": "2026-01-01T00:00:00Z", "Annotation": "x".repeat(256),
            }],
            "ResultToken": "t",
        })
    );
    assert_eq!(invocation.put_evaluations(crate::Compliance::Compliant, " ")["Evaluations"][0].get("Annotation"), None);
    // It is time, and of no resource.
    let timed = event("aws.config", "Config Rule Invocation", json!({"configRuleName": "r", "resultToken": "t"}));
    assert_eq!((reported(&timed), RuleInvocation::of(&timed)), (Vec::new(), None));
}

#[test]
fn nobody_else_is_asked() {
    for (source, detail_type) in [
        ("json", "Security Hub Findings - Imported"),
        ("aws.securityhub", "Security Hub Insight Results"),
        ("aws.guardduty", "GuardDuty Malware Protection Object Scan Result"),
    ] {
        assert_eq!(reported(&event(source, detail_type, json!({"findings": [asff(&[])]}))), []);
    }
}
