//! Requests as text and answers as results, a table a protocol.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::parameters::bind;

/// Method, path, query, headers and body as one text.
fn check_request(service: &str, action: &str, parameters: Value, expected: &str) {
    let service = crate::model::service(service).unwrap();
    let (name, operation) = service.operation(action).unwrap();
    let bound = bind(service.node(operation.input.as_ref()), &parameters, "token").unwrap();
    let made = request(&service, name, operation, &bound).unwrap();
    let query: Vec<String> = made.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let headers: Vec<String> = made.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let text = format!(
        "{} {}?{}\n{}\n{}",
        made.method,
        made.path,
        query.join("&"),
        headers.join("\n"),
        String::from_utf8(made.body).unwrap()
    );
    assert_eq!(text, expected, "{action}");
}

fn check_result(service: &str, action: &str, headers: &[(&str, &str)], body: &str, expected: Value) {
    let service = crate::model::service(service).unwrap();
    let (_, operation) = service.operation(action).unwrap();
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    let answer = Answer { status: 200, headers: &headers, body: body.as_bytes() };
    assert_eq!(result(&service, operation, &answer).unwrap(), expected, "{action}");
}

#[test]
fn requests_in_xml() {
    check_request(
        "s3",
        "putBucketAcl",
        json!({"Bucket": "b", "AccessControlPolicy": {"Owner": {"ID": "me"}, "Grants": [{"Grantee": {"Type": "Group", "URI": "http://x"}, "Permission": "READ"}]}}),
        "PUT /?acl=\ncontent-type: application/xml\n<AccessControlPolicy xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><AccessControlList><Grant>\
         <Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\"><URI>http://x</URI></Grantee><Permission>READ</Permission>\
         </Grant></AccessControlList><Owner><ID>me</ID></Owner></AccessControlPolicy>",
    );
    check_request(
        "s3",
        "putBucketLifecycleConfiguration",
        json!({"Bucket": "b", "LifecycleConfiguration": {"Rules": [{"Id": "1", "Status": "Enabled", "Expiration": {"Date": "2026-01-31T00:00:00Z"}}, {"Id": "a&b", "Status": "Disabled"}]}}),
        "PUT /?lifecycle=\ncontent-type: application/xml\n<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Rule><Expiration><Date>2026-01-31T00:00:00Z</Date></Expiration><ID>1</ID><Status>Enabled</Status></Rule>\
         <Rule><ID>a&amp;b</ID><Status>Disabled</Status></Rule></LifecycleConfiguration>",
    );
    check_request(
        "s3",
        "putObject",
        json!({"Bucket": "b", "Key": "a folder/ü", "Body": "text", "Metadata": {"team": "blue"}, "IfMatch": "x"}),
        "PUT /a%20folder/%C3%BC?\nIf-Match: x\nx-amz-meta-team: blue\ncontent-type: application/octet-stream\ntext",
    );
    check_request(
        "s3control",
        "getPublicAccessBlock",
        json!({"AccountId": "123456789012"}),
        "GET /v20180820/configuration/publicAccessBlock?\nx-amz-account-id: 123456789012\n",
    );
}

#[test]
fn requests_in_forms() {
    check_request(
        "ec2",
        "authorizeSecurityGroupIngress",
        json!({"GroupId": "sg-1", "IpPermissions": [{"FromPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "a b"}]}]}),
        "POST /?\ncontent-type: application/x-www-form-urlencoded; charset=utf-8\n\
         Action=AuthorizeSecurityGroupIngress&Version=2016-11-15&GroupId=sg-1&IpPermissions.1.FromPort=22\
         &IpPermissions.1.IpRanges.1.Description=a%20b&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0%2F8",
    );
    check_request(
        "iam",
        "createUser",
        json!({"UserName": "alice", "Tags": [{"Key": "team", "Value": "blue"}]}),
        "POST /?\ncontent-type: application/x-www-form-urlencoded; charset=utf-8\n\
         Action=CreateUser&Version=2010-05-08&UserName=alice&Tags.member.1.Key=team&Tags.member.1.Value=blue",
    );
}

#[test]
fn requests_in_json() {
    check_request(
        "sqs",
        "receiveMessage",
        json!({"QueueUrl": "http://q", "MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"]}),
        "POST /?\nx-amz-target: AmazonSQS.ReceiveMessage\ncontent-type: application/x-amz-json-1.0\nx-amzn-query-mode: true\n\
         {\"QueueUrl\":\"http://q\",\"MessageSystemAttributeNames\":[\"All\"],\"MaxNumberOfMessages\":10}",
    );
    check_request(
        "sfn",
        "sendTaskSuccess",
        json!({"TaskToken": "t", "Output": "{}"}),
        "POST /?\nx-amz-target: AWSStepFunctions.SendTaskSuccess\ncontent-type: application/x-amz-json-1.0\n{\"taskToken\":\"t\",\"output\":\"{}\"}",
    );
    check_request(
        "lambda",
        "invoke",
        json!({"FunctionName": "f:1", "InvocationType": "Event", "Payload": {"a": [1]}}),
        "POST /2015-03-31/functions/f%3A1/invocations?\nX-Amz-Invocation-Type: Event\ncontent-type: application/octet-stream\n{\"a\":[1]}",
    );
    check_request(
        "lambda",
        "removePermission",
        json!({"FunctionName": "f", "StatementId": "s", "RevisionId": "r"}),
        "DELETE /2015-03-31/functions/f/policy/s?RevisionId=r\n\n",
    );
}

#[test]
fn results_of_xml() {
    check_result(
        "s3",
        "getBucketPolicyStatus",
        &[],
        "<PolicyStatus xmlns=\"http://s3\"><IsPublic>true</IsPublic></PolicyStatus>",
        json!({"PolicyStatus": {"IsPublic": true}}),
    );
    check_result(
        "s3",
        "getBucketLocation",
        &[],
        "<?xml version=\"1.0\"?>\n<LocationConstraint xmlns=\"http://s3\">eu-west-1</LocationConstraint>",
        json!({"LocationConstraint": "eu-west-1"}),
    );
    check_result(
        "s3",
        "getBucketAcl",
        &[],
        "<AccessControlPolicy><Owner><ID>me</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:type=\"Group\"><URI>http://x?a&amp;b</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>",
        json!({"Owner": {"Id": "me"}, "Grants": [{"Grantee": {"Type": "Group", "Uri": "http://x?a&b"}, "Permission": "READ"}]}),
    );
    check_result(
        "s3",
        "getObject",
        &[
            ("etag", "\"1\""),
            ("content-length", "4"),
            ("last-modified", "Sat, 31 Jan 2026 12:00:00 GMT"),
            ("x-amz-meta-team", "blue"),
        ],
        "text",
        json!({"Body": "text", "LastModified": "2026-01-31T12:00:00Z", "ContentLength": 4, "ETag": "\"1\"", "Metadata": {"team": "blue"}}),
    );
    check_result(
        "ec2",
        "describeSecurityGroups",
        &[],
        "<DescribeSecurityGroupsResponse><requestId>r</requestId><securityGroupInfo><item><groupId>sg-1</groupId><ipPermissions><item><fromPort>22</fromPort>\
         <ipRanges/></item></ipPermissions></item></securityGroupInfo></DescribeSecurityGroupsResponse>",
        json!({"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [{"IpRanges": [], "FromPort": 22}]}]}),
    );
    check_result(
        "sts",
        "getCallerIdentity",
        &[],
        "<R><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult><ResponseMetadata/></R>",
        json!({"Account": "1"}),
    );
}

#[test]
fn results_of_json() {
    check_result("sqs", "receiveMessage", &[], "{}", json!({}));
    check_result(
        "cloudwatchlogs",
        "describeLogGroups",
        &[],
        "{\"logGroups\":[{\"logGroupName\":\"g\",\"creationTime\":1}],\"nextToken\":null,\"unheardOf\":1}",
        json!({"LogGroups": [{"LogGroupName": "g", "CreationTime": 1}]}),
    );
    check_result(
        "lambda",
        "invoke",
        &[("x-amz-function-error", "Unhandled")],
        "{\"a\":1}",
        json!({"StatusCode": 200, "FunctionError": "Unhandled", "Payload": "{\"a\":1}"}),
    );
    check_result("kms", "generateRandom", &[], "{\"Plaintext\":\"/w==\"}", json!({"Plaintext": "/w=="}));
}

#[test]
fn errors_of_every_protocol() {
    for (service, action, headers, body, name, code) in [
        (
            "iam",
            "getUser",
            None,
            "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>",
            "Iam.NoSuchEntityException",
            "NoSuchEntity",
        ),
        (
            "ec2",
            "describeInstances",
            None,
            "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>m</Message></Error></Errors><RequestID>r</RequestID></Response>",
            "Ec2.Ec2Exception",
            "UnauthorizedOperation",
        ),
        (
            "s3",
            "getBucketPolicy",
            None,
            "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucketPolicy</Code><Message>m</Message><RequestId>r</RequestId></Error>",
            "S3.S3Exception",
            "NoSuchBucketPolicy",
        ),
        (
            "s3",
            "getBucketPolicy",
            None,
            "<Error><Code>NoSuchBucket</Code><Message>m</Message><RequestId>r</RequestId></Error>",
            "S3.NoSuchBucketException",
            "NoSuchBucket",
        ),
        (
            "dynamodb",
            "getItem",
            Some(("x-amzn-requestid", "r")),
            "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\",\"message\":\"m\"}",
            "DynamoDb.ResourceNotFoundException",
            "ResourceNotFoundException",
        ),
        (
            "rds",
            "describeDBInstances",
            None,
            "<ErrorResponse><Error><Code>DBInstanceNotFound</Code><Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>",
            "Rds.DbInstanceNotFoundException",
            "DBInstanceNotFound",
        ),
    ] {
        let service = crate::model::service(service).unwrap();
        let (_, operation) = service.operation(action).unwrap();
        let headers: HeaderMap = headers
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let answer = Answer { status: 400, headers: &headers, body: body.as_bytes() };
        let error = read_error(&service, operation, &answer).unwrap();
        assert_eq!((error.name(&service, operation).as_str(), error.code.as_str()), (name, code));
        assert!(error.cause(&service, 400, 1).ends_with("Status Code: 400, Request ID: r) (SDK Attempt Count: 1)"));
    }
    let service = crate::model::service("lambda").unwrap();
    let (_, operation) = service.operation("getFunction").unwrap();
    let headers = HeaderMap::from_iter([(
        HeaderName::from_static("x-amzn-errortype"),
        HeaderValue::from_static("ResourceNotFoundException:http://internal.amazon.com/"),
    )]);
    let answer = Answer { status: 404, headers: &headers, body: b"{\"Type\":\"User\",\"Message\":\"m\"}" };
    let error = read_error(&service, operation, &answer).unwrap();
    assert_eq!(
        (error.name(&service, operation).as_str(), error.message.as_deref()),
        ("Lambda.ResourceNotFoundException", Some("m"))
    );
}

#[test]
fn a_path_has_no_empty_part() {
    let service = crate::model::service("s3").unwrap();
    let (name, operation) = service.operation("deleteBucketPolicy").unwrap();
    let told = request(&service, name, operation, &json!({"Bucket": ""})).unwrap_err();
    assert_eq!(told, "the field `Bucket` must not be empty: it is part of the path");
}
