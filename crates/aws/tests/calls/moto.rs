//! Real calls of every protocol, against moto, an account on this machine.

use super::support::{Account, call, error, ok};
use aws::{Aws, CallError};
use serde_json::{Value, json};

fn account() -> Option<(Account, Aws)> {
    let account = Account::start()?;
    let aws = Aws::new(account.options());
    Some((account, aws))
}

#[tokio::test]
async fn s3_and_s3_control() {
    let Some((_account, aws)) = account() else { return };
    let bucket = json!({"Bucket": "open-bucket"});
    assert_eq!(
        ok(&aws, "s3", "createBucket", json!({"Bucket": "open-bucket", "ObjectOwnership": "BucketOwnerPreferred"}))
            .await["Location"],
        "/open-bucket"
    );
    ok(&aws, "s3", "putBucketAcl", json!({"Bucket": "open-bucket", "ACL": "public-read"})).await;
    let acl = ok(&aws, "s3", "getBucketAcl", bucket.clone()).await;
    let everyone = json!({"Type": "Group", "Uri": "http://acs.amazonaws.com/groups/global/AllUsers"});
    let public = acl["Grants"].as_array().unwrap().iter().find(|grant| grant["Grantee"] == everyone);
    assert_eq!(public.unwrap()["Permission"], "READ", "{acl}");

    // The same again, as a policy of grants: the attribute xsi:type goes out and comes back.
    ok(&aws, "s3", "putBucketAcl", json!({"Bucket": "open-bucket", "AccessControlPolicy": acl})).await;
    assert_eq!(ok(&aws, "s3", "getBucketAcl", bucket.clone()).await, acl);

    let (name, cause, code) = error(&aws, "s3", "getPublicAccessBlock", bucket.clone()).await;
    assert_eq!((name.as_str(), code.as_str()), ("S3.S3Exception", "NoSuchPublicAccessBlockConfiguration"));
    assert!(
        cause.starts_with(
            "The public access block configuration was not found (Service: S3, Status Code: 404, Request ID: "
        ),
        "{cause}"
    );
    let flags = json!({"BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true});
    let block = json!({"Bucket": "open-bucket", "PublicAccessBlockConfiguration": flags});
    assert_eq!(ok(&aws, "s3", "putPublicAccessBlock", block).await, json!({}));
    assert_eq!(
        ok(&aws, "s3", "getPublicAccessBlock", bucket.clone()).await,
        json!({"PublicAccessBlockConfiguration": flags})
    );
    ok(&aws, "s3", "deletePublicAccessBlock", bucket.clone()).await;

    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::open-bucket/*"}]});
    ok(&aws, "s3", "putBucketPolicy", json!({"Bucket": "open-bucket", "Policy": policy.to_string()})).await;
    // Not every moto knows the policy's status; what it answers must be read at least.
    assert!(ok(&aws, "s3", "getBucketPolicyStatus", bucket.clone()).await["PolicyStatus"].is_object());
    let got = ok(&aws, "s3", "getBucketPolicy", bucket.clone()).await;
    assert_eq!(serde_json::from_str::<Value>(got["Policy"].as_str().unwrap()).unwrap(), policy);

    objects(&aws).await;
    let (name, _, _) = error(&aws, "s3", "listObjectsV2", json!({"Bucket": "no-such-bucket-here"})).await;
    assert_eq!(name, "S3.NoSuchBucketException");
    let (name, _, _) = error(&aws, "s3", "headBucket", json!({"Bucket": "no-such-bucket-here"})).await;
    assert_eq!(name, "S3.NoSuchBucketException");

    let control = json!({"AccountId": "123456789012"});
    let (name, cause, _) = error(&aws, "s3control", "getPublicAccessBlock", control.clone()).await;
    assert_eq!(name, "S3Control.NoSuchPublicAccessBlockConfigurationException", "{cause}");
    ok(
        &aws,
        "s3control",
        "putPublicAccessBlock",
        json!({"AccountId": "123456789012", "PublicAccessBlockConfiguration": flags}),
    )
    .await;
    assert_eq!(ok(&aws, "s3control", "getPublicAccessBlock", control).await["PublicAccessBlockConfiguration"], flags);
}

async fn objects(aws: &Aws) {
    let object = json!({"Bucket": "open-bucket", "Key": "a folder/ü+1.txt", "Body": {"a": 1}, "Metadata": {"owner": "alice"}, "ChecksumAlgorithm": "SHA256"});
    ok(aws, "s3", "putObject", object).await;
    let got = ok(aws, "s3", "getObject", json!({"Bucket": "open-bucket", "Key": "a folder/ü+1.txt"})).await;
    assert_eq!(
        (&got["Body"], &got["Metadata"], &got["ContentLength"]),
        (&json!("{\"a\":1}"), &json!({"owner": "alice"}), &json!(7))
    );
    assert!(got["LastModified"].as_str().unwrap().ends_with('Z'), "{got}");
    let listed = ok(aws, "s3", "listObjectsV2", json!({"Bucket": "open-bucket", "Prefix": "a "})).await;
    assert_eq!((&listed["KeyCount"], &listed["Contents"][0]["Key"]), (&json!(1), &json!("a folder/ü+1.txt")));
    let deleted = ok(
        aws,
        "s3",
        "deleteObjects",
        json!({"Bucket": "open-bucket", "Delete": {"Objects": [{"Key": "a folder/ü+1.txt"}]}}),
    )
    .await;
    assert_eq!(deleted["Deleted"][0]["Key"], "a folder/ü+1.txt");
    let (name, _, _) = error(aws, "s3", "getObject", json!({"Bucket": "open-bucket", "Key": "gone"})).await;
    assert_eq!(name, "S3.NoSuchKeyException");
    let place = ok(aws, "s3", "getBucketLocation", json!({"Bucket": "open-bucket"})).await;
    assert!(place["LocationConstraint"].is_string() || place == json!({}), "{place}");
}

#[tokio::test]
async fn ec2() {
    let Some((_account, aws)) = account() else { return };
    let group =
        ok(&aws, "ec2", "createSecurityGroup", json!({"GroupName": "g", "Description": "d"})).await["GroupId"].clone();
    let permission = json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "all"}, {"CidrIp": "10.0.0.0/8"}]});
    let made =
        ok(&aws, "ec2", "authorizeSecurityGroupIngress", json!({"GroupId": group, "IpPermissions": [permission]}))
            .await;
    assert_eq!((&made["Return"], made["SecurityGroupRules"].as_array().unwrap().len()), (&json!(true), 2));
    let of_group = json!({"Filters": [{"Name": "group-id", "Values": [group]}]});
    let rules = ok(&aws, "ec2", "describeSecurityGroupRules", of_group.clone()).await;
    let open = rules["SecurityGroupRules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["CidrIpv4"] == "0.0.0.0/0" && rule["IsEgress"] == false)
        .unwrap()
        .clone();
    assert_eq!(
        (&open["FromPort"], &open["IsEgress"], &open["Description"]),
        (&json!(22), &json!(false), &json!("all"))
    );
    ok(
        &aws,
        "ec2",
        "revokeSecurityGroupIngress",
        json!({"GroupId": group, "SecurityGroupRuleIds": [open["SecurityGroupRuleId"]]}),
    )
    .await;
    let rules = ok(&aws, "ec2", "describeSecurityGroupRules", of_group).await;
    assert!(!rules.to_string().contains("\"FromPort\":22,\"CidrIpv4\":\"0.0.0.0/0\""), "{rules}");
    let (name, cause, code) =
        error(&aws, "ec2", "describeSecurityGroups", json!({"GroupIds": ["sg-00000000000000000"]})).await;
    assert_eq!((name.as_str(), code.as_str()), ("Ec2.Ec2Exception", "InvalidGroup.NotFound"));
    assert!(cause.contains("(Service: Ec2, Status Code: 400, Request ID: "), "{cause}");
}

#[tokio::test]
async fn iam_and_sts() {
    let Some((_account, aws)) = account() else { return };
    ok(&aws, "iam", "createUser", json!({"UserName": "alice", "Tags": [{"Key": "team", "Value": "blue"}]})).await;
    let users = ok(&aws, "iam", "listUsers", json!({})).await;
    assert_eq!((&users["Users"][0]["UserName"], &users["IsTruncated"]), (&json!("alice"), &json!(false)));
    assert_eq!(users["Users"][0]["Tags"].as_array().map(Vec::len).unwrap_or_default(), 0, "{users}");
    assert_eq!(
        ok(&aws, "iam", "listUserTags", json!({"UserName": "alice"})).await["Tags"],
        json!([{"Key": "team", "Value": "blue"}])
    );
    let (name, _, code) = error(&aws, "iam", "getUser", json!({"UserName": "bob"})).await;
    assert_eq!((name.as_str(), code.as_str()), ("Iam.NoSuchEntityException", "NoSuchEntity"));
    assert_eq!(ok(&aws, "sts", "getCallerIdentity", json!({})).await["Account"], "123456789012");

    let role = "arn:aws:iam::111122223333:role/guard";
    let session = ok(&aws, "sts", "assumeRole", json!({"RoleArn": role, "RoleSessionName": "s"})).await;
    assert!(session["Credentials"]["Expiration"].as_str().unwrap().ends_with('Z'), "{session}");
    let mut there = call("sts", "getCallerIdentity", json!({}));
    there.role_arn = Some(role.to_owned());
    let identity = aws.call(there).await.unwrap();
    assert_eq!(identity["Account"], "111122223333");
    assert!(identity["Arn"].as_str().unwrap().ends_with("assumed-role/guard/rectify"), "{identity}");
}

#[tokio::test]
async fn json_and_rest_json() {
    let Some((_account, aws)) = account() else { return };
    let queue = ok(&aws, "sqs", "createQueue", json!({"QueueName": "q", "Attributes": {"VisibilityTimeout": "5"}}))
        .await["QueueUrl"]
        .clone();
    ok(&aws, "sqs", "sendMessage", json!({"QueueUrl": queue, "MessageBody": "hello <&> ü"})).await;
    let received = ok(&aws, "sqs", "receiveMessage", json!({"QueueUrl": queue, "MaxNumberOfMessages": 10})).await;
    assert_eq!(received["Messages"][0]["Body"], "hello <&> ü");
    let receipt = received["Messages"][0]["ReceiptHandle"].clone();
    assert_eq!(ok(&aws, "sqs", "deleteMessage", json!({"QueueUrl": queue, "ReceiptHandle": receipt})).await, json!({}));
    let (name, _, _) = error(&aws, "sqs", "getQueueUrl", json!({"QueueName": "none"})).await;
    assert_eq!(name, "Sqs.QueueDoesNotExistException");

    let table = json!({"TableName": "t", "BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]});
    ok(&aws, "dynamodb", "createTable", table).await;
    ok(&aws, "dynamodb", "putItem", json!({"TableName": "t", "Item": {"id": {"S": "1"}, "data": {"B": "bytes"}}}))
        .await;
    let item = ok(&aws, "dynamodb", "getItem", json!({"TableName": "t", "Key": {"id": {"S": "1"}}})).await;
    assert_eq!(item["Item"], json!({"id": {"S": "1"}, "data": {"B": "bytes"}}));
    let (name, cause, _) =
        error(&aws, "dynamodb", "getItem", json!({"TableName": "u", "Key": {"id": {"S": "1"}}})).await;
    assert_eq!(name, "DynamoDb.ResourceNotFoundException");
    assert!(
        cause.contains("(Service: DynamoDb, Status Code: 400, Request ID: ")
            && cause.ends_with(") (SDK Attempt Count: 1)"),
        "{cause}"
    );

    assert_eq!(ok(&aws, "lambda", "listFunctions", json!({})).await["Functions"], json!([]));
    let (name, _, _) = error(&aws, "lambda", "getFunction", json!({"FunctionName": "none"})).await;
    assert_eq!(name, "Lambda.ResourceNotFoundException");
    ok(&aws, "securityhub", "enableSecurityHub", json!({"EnableDefaultStandards": false})).await;
    assert_eq!(ok(&aws, "securityhub", "getFindings", json!({"MaxResults": 5})).await["Findings"], json!([]));
    let trail =
        ok(&aws, "cloudwatchlogs", "createLogGroup", json!({"LogGroupName": "group", "Tags": {"a": "b"}})).await;
    assert_eq!(trail, json!({}));
    assert_eq!(
        ok(&aws, "cloudwatchlogs", "describeLogGroups", json!({})).await["LogGroups"][0]["LogGroupName"],
        "group"
    );
}

#[tokio::test]
async fn what_is_wrong_is_told_before_anything_is_sent() {
    let aws = Aws::new(aws::Options::fixed("eu-west-1", "AKIDEXAMPLE", "secret"));
    let told = aws.call(call("s3", "putPublicAccesBlock", json!({}))).await.unwrap_err();
    assert!(matches!(&told, CallError::Unknown { message } if message.contains("`putPublicAccessBlock`")), "{told}");
    let told = aws.call(call("s3", "getBucketAcl", json!({"Bucket": 3}))).await.unwrap_err();
    assert_eq!(told.to_string(), "s3:getBucketAcl: the value of `Bucket` must be a string");
    let mut odd = call("s3", "getBucketAcl", json!({"Bucket": "b"}));
    odd.region = Some("evil.example/".to_owned());
    assert!(
        aws.call(odd)
            .await
            .unwrap_err()
            .to_string()
            .starts_with("S3.SdkClientException: `evil.example/` is no name of a Region")
    );
}

#[tokio::test]
async fn a_first_page_of_many_services() {
    let Some((_account, aws)) = account() else { return };
    for (service, action, member) in [
        ("acm", "listCertificates", "CertificateSummaryList"),
        ("autoscaling", "describeAutoScalingGroups", "AutoScalingGroups"),
        ("cloudfront", "listDistributions", "DistributionList"),
        ("cloudtrail", "describeTrails", "TrailList"),
        ("cloudwatch", "describeAlarms", "MetricAlarms"),
        ("config", "describeConfigRules", "ConfigRules"),
        ("ecr", "describeRepositories", "Repositories"),
        ("ecs", "listClusters", "ClusterArns"),
        ("efs", "describeFileSystems", "FileSystems"),
        ("eks", "listClusters", "Clusters"),
        ("elasticloadbalancingv2", "describeLoadBalancers", "LoadBalancers"),
        ("eventbridge", "listRules", "Rules"),
        ("guardduty", "listDetectors", "DetectorIds"),
        ("kms", "listKeys", "Keys"),
        ("opensearch", "listDomainNames", "DomainNames"),
        ("organizations", "listRoots", "Roots"),
        ("rds", "describeDBInstances", "DbInstances"),
        ("redshift", "describeClusters", "Clusters"),
        ("route53", "listHostedZones", "HostedZones"),
        ("secretsmanager", "listSecrets", "SecretList"),
        ("sfn", "listStateMachines", "StateMachines"),
        ("sns", "listTopics", "Topics"),
        ("ssm", "describeParameters", "Parameters"),
    ] {
        match aws.call(call(service, action, json!({}))).await {
            Ok(page) => assert!(page.get(member).is_some(), "{service}:{action}: {page}"),
            // Without an organization.
            Err(CallError::Service { name, .. }) => {
                assert_eq!(name, "Organizations.AwsOrganizationsNotInUseException", "{service}:{action}")
            }
            Err(other) => panic!("{service}:{action}: {other}"),
        }
    }
}
