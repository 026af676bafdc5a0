//! What AWS's own detectors send to EventBridge, as AWS's guides show it (shortened in `detail`): each becomes an event whose fields
//! are the envelope's own.

use detection::normalize;
use serde_json::{Value, json};

/// Whose guide, its page, the sample.
fn samples() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        (
            "IAM Access Analyzer",
            "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-eventbridge.html",
            json!({
                "account": "111122223333",
                "detail": {
                    "accountId": "111122223333", "action": ["s3:GetObject"], "id": "22222222-dcba-4444-dcba-333333333333",
                    "isDeleted": false, "isPublic": false, "principal": {"AWS": "999988887777"}, "region": "us-west-2",
                    "resource": "arn:aws:s3:::my-bucket", "resourceType": "AWS::S3::Bucket", "status": "ACTIVE", "version": "1.0"
                },
                "detail-type": "Access Analyzer Finding", "id": "11111111-2222-4444-aaaa-333333333333", "region": "us-west-2",
                "resources": ["arn:aws:access-analyzer:us-west-2:111122223333:analyzer/MyAnalyzer"],
                "source": "aws.access-analyzer", "time": "2019-11-21T01:22:33Z", "version": "0"
            }),
        ),
        (
            "Inspector",
            "https://docs.aws.amazon.com/inspector/latest/user/eventbridge-integration.html",
            json!({
                "version": "0", "id": "4d621919-f1f4-4201-a0e2-37e4e330ff51", "detail-type": "Inspector2 Finding",
                "source": "aws.inspector2", "account": "123456789012", "time": "2024-09-04T17:00:36Z",
                "region": "eu-central-1", "resources": ["i-12345678901234567"],
                "detail": {"awsAccountId": "123456789012", "epss": {"score": 0.00043}}
            }),
        ),
        (
            "Macie",
            "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-content-based-filtering.html",
            json!({
                "version": "0", "id": "0948ba87-d3b8-c6d4-f2da-732a1example", "detail-type": "Macie Finding",
                "source": "aws.macie", "account": "123456789012", "time": "2021-04-29T23:12:15Z", "region": "us-east-1",
                "resources": [],
                "detail": {
                    "schemaVersion": "1.0", "id": "64b917aa-3843-014c-91d8-937ffexample", "accountId": "123456789012",
                    "partition": "aws", "region": "us-east-1", "type": "Policy:IAMUser/S3BucketEncryptionDisabled",
                    "severity": {"score": 1, "description": "Low"}, "createdAt": "2021-04-29T15:46:02Z"
                }
            }),
        ),
        (
            "Health",
            "https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html",
            json!({
                "version": "0", "id": "121345678-1234-1234-1234-123456789012", "detail-type": "AWS Health Event",
                "source": "aws.health", "account": "123456789012", "time": "2022-06-10T06:27:57Z",
                "region": "ap-southeast-2", "resources": [],
                "detail": {
                    "eventArn": "arn:aws:health:ap-southeast-2::event/AWS_ELASTICLOADBALANCING_API_ISSUE_90353408594353980",
                    "service": "ELASTICLOADBALANCING", "eventTypeCode": "AWS_ELASTICLOADBALANCING_API_ISSUE",
                    "eventTypeCategory": "issue", "eventScopeCode": "ACCOUNT_SPECIFIC", "statusCode": "open",
                    "startTime": "Fri, 10 Jun 2022 05:01:10 GMT", "affectedAccount": "123456789012"
                }
            }),
        ),
        (
            "Security Hub CSPM (ASFF)",
            "https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html",
            // The guide leaves the finding out.
            json!({
                "version": "0", "id": "CWE-event-id", "detail-type": "Security Hub Findings - Imported",
                "source": "aws.securityhub", "account": "111122223333", "time": "2019-04-11T21:52:17Z", "region": "us-west-2",
                "resources": ["arn:aws:securityhub:us-west-2::product/aws/macie/arn:aws:macie:us-west-2:111122223333:integtest/trigger/6294d71b927c41cbab915159a8f326a3/alert/f2893b211841"],
                "detail": {"findings": [{"SchemaVersion": "2018-10-08", "Id": "f2893b211841"}]}
            }),
        ),
        (
            "Security Hub (OCSF)",
            "https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-cwe-event-formats.html",
            json!({
                "version": "0", "id": "CWE-event-id", "detail-type": "Findings Imported V2", "source": "aws.securityhub",
                "account": "111122223333", "time": "2019-04-11T21:52:17Z", "region": "us-west-2",
                "resources": ["e51603d1054aad9d9f498d82d6e81acf4cf6bc88140e8ad2273123c73b81084"],
                "detail": {"findings": [{"class_uid": 2004, "metadata": {"version": "1.1.0", "product": {"name": "GuardDuty"}}}]}
            }),
        ),
        (
            "AWS Config",
            "https://docs.aws.amazon.com/config/latest/developerguide/monitor-config-with-cloudwatchevents.html",
            // The guide shows the envelope; the message in it is the one of its page on compliance notifications.
            json!({
                "version": "0", "id": "cd4d811e-ab12-322b-8255-872ce65b1bc8", "detail-type": "Config Rules Compliance Change",
                "source": "aws.config", "account": "111122223333", "time": "2018-03-22T00:38:11Z", "region": "us-east-1",
                "resources": [],
                "detail": {
                    "awsAccountId": "123456789012", "configRuleName": "cloudtrail-enabled", "resourceType": "AWS::::Account",
                    "resourceId": "123456789012", "awsRegion": "us-east-2", "newEvaluationResult": {"complianceType": "COMPLIANT"},
                    "messageType": "ComplianceChangeNotification"
                }
            }),
        ),
        (
            "GuardDuty",
            "https://github.com/cloud-custodian/cloud-custodian, tests/data/cwe/ec2-duty-event.json",
            json!({"account": "101010101111", "region": "us-east-1", "detail": {"schemaVersion": "2.0", "accountId": "883606788610", "region": "us-east-1", "id": "b4b01b60fc24a199139f8f5f490edd81", "type": "Backdoor:EC2/C&CActivity.B!DNS", "severity": 5}, "detail-type": "GuardDuty Finding", "source": "aws.guardduty", "version": "0", "time": "1970-01-01T00:00:00Z", "debug": true, "id": "8f5fa7d9-5558-33dc-449c-c890a0c38127", "resources": []}),
        ),
    ]
}

#[test]
fn what_detectors_send_is_an_event_as_it_is() {
    for (who, page, sample) in samples() {
        let read = normalize::read(sample.to_string().as_bytes());
        let [Ok(event)] = read.as_slice() else { panic!("{who}, {page}: {read:?}") };
        let text = |name: &str| sample[name].as_str().unwrap_or_default();
        let fields = [&event.id, &event.source, &event.detail_type, &event.account, &event.region];
        assert_eq!(fields, ["id", "source", "detail-type", "account", "region"].map(text), "{who}, {page}");
        assert!(fields.iter().all(|field| !field.is_empty()), "{who}, {page}");
        assert_eq!(event.time.to_string(), text("time"), "{who}, {page}");
        assert_eq!(json!(event.resources), sample["resources"], "{who}, {page}");
        assert_eq!(event.detail, sample["detail"], "{who}, {page}");
        // By SNS it is the same event.
        let wrapped = json!({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Message": sample.to_string()});
        let again = normalize::read(wrapped.to_string().as_bytes());
        assert!(matches!(again.as_slice(), [Ok(again)] if again.identity() == event.identity()), "{who}: {again:?}");
    }
}
