//! Playbooks that events start, through the real binary: the two that are shipped change the account once, and one of the user's own
//! runs one at a time, also across kill -9.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test tells what broke by panicking")]

use std::fs;

use end_to_end::{Account, Serve, Webhook, until};
use serde_json::{Value, json};

const ACCOUNT: &str = "123456789012";
const ISOLATION: &str = "guardduty-instance-isolation";
const LEAKED: &str = "leaked-access-key";

fn serve(account: &Account, webhook: &Webhook, playbooks: &str) -> Serve {
    let configuration = format!(
        "account: \"{ACCOUNT}\"\nplaybooks: {playbooks}\nchannels:\n  team: {{webhook: {{url: \"{}\"}}}}\n",
        webhook.url
    );
    Serve::start(&configuration, &account.url)
}

fn event(id: &str, source: &str, detail_type: &str, detail: &Value) -> Value {
    json!({
        "version": "0", "id": id, "detail-type": detail_type, "source": source, "account": ACCOUNT, "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1", "resources": [], "detail": detail,
    })
}

fn post(serve: &Serve, event: &Value) -> Value {
    let answer = serve.ask("POST", "/events", Some(event.to_string().as_bytes())).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Status and output of each execution of a playbook, the oldest first.
fn executions(account: &Account, serve: &Serve, playbook: &str) -> Vec<Value> {
    let script = format!(
        "s = client('stepfunctions'); machine = 'arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:rectify-playbook-{playbook}'\n\
         found = s.list_executions(stateMachineArn=machine)['executions'][::-1]\n\
         answer([{{k: d.get(k) for k in ('executionArn', 'status', 'output', 'error', 'cause')}} for d in (s.describe_execution(executionArn=e['executionArn']) for e in found)])"
    );
    let answer = account.python_with(&serve.url(), &serve.data().join("credentials"), &script);
    answer.as_array().unwrap().clone()
}

/// The nth execution, once it has ended; its output.
fn ended(account: &Account, serve: &Serve, playbook: &str, nth: usize) -> Value {
    let execution = until("the end of the playbook", || {
        executions(account, serve, playbook).into_iter().nth(nth).filter(|execution| execution["status"] != "RUNNING")
    });
    assert_eq!(execution["status"], "SUCCEEDED", "{execution:#}");
    serde_json::from_str(execution["output"].as_str().unwrap()).unwrap()
}

fn finding(instance: &str) -> Value {
    json!({
        "schemaVersion": "2.0", "accountId": ACCOUNT, "region": "us-east-1", "id": "16afba5c5c43e07c9e3e5e2e544e95df",
        "type": "CryptoCurrency:EC2/BitcoinTool.B!DNS", "severity": 8,
        "title": format!("Bitcoin-related domain name queried by EC2 instance {instance}."),
        "resource": {"resourceType": "Instance", "instanceDetails": {"instanceId": instance}},
        "service": {"serviceName": "guardduty", "archived": false, "count": 1},
    })
}

/// An instance with two interfaces and two volumes in an Auto Scaling group: `[instance, [its groups]]`.
fn instance(account: &Account) -> (String, Value) {
    let made = account.python(
        "ec2, scaling = client('ec2'), client('autoscaling')\n\
         vpc = ec2.create_vpc(CidrBlock='10.0.0.0/16')['Vpc']['VpcId']\n\
         subnet = ec2.create_subnet(VpcId=vpc, CidrBlock='10.0.1.0/24', AvailabilityZone='us-east-1a')['Subnet']['SubnetId']\n\
         groups = [ec2.create_security_group(GroupName=n, Description='d', VpcId=vpc)['GroupId'] for n in ('web', 'ssh')]\n\
         image = ec2.describe_images()['Images'][0]['ImageId']\n\
         run = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=groups, TagSpecifications=[dict(ResourceType='instance', Tags=[dict(Key='Team', Value='payments')])])\n\
         instance = run['Instances'][0]['InstanceId']\n\
         other = ec2.create_network_interface(SubnetId=subnet, Groups=groups[:1])['NetworkInterface']['NetworkInterfaceId']\n\
         ec2.attach_network_interface(NetworkInterfaceId=other, InstanceId=instance, DeviceIndex=1)\n\
         volume = ec2.create_volume(AvailabilityZone='us-east-1a', Size=1)['VolumeId']\n\
         ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device='/dev/sdf')\n\
         scaling.create_launch_configuration(LaunchConfigurationName='l', ImageId=image, InstanceType='t3.micro')\n\
         scaling.create_auto_scaling_group(AutoScalingGroupName='workers', LaunchConfigurationName='l', MinSize=0, MaxSize=4, DesiredCapacity=0, VPCZoneIdentifier=subnet)\n\
         scaling.attach_instances(AutoScalingGroupName='workers', InstanceIds=[instance])\n\
         answer([instance, groups])",
    );
    (made[0].as_str().unwrap().to_owned(), made[1].clone())
}

/// What can be seen of it from outside.
fn seen(account: &Account, instance: &str) -> Value {
    account.python(&format!(
        "ec2, scaling = client('ec2'), client('autoscaling')\n\
         i = ec2.describe_instances(InstanceIds=['{instance}'])['Reservations'][0]['Instances'][0]\n\
         interfaces = ec2.describe_network_interfaces(NetworkInterfaceIds=[n['NetworkInterfaceId'] for n in i['NetworkInterfaces']])['NetworkInterfaces']\n\
         names = lambda n: sorted(g['GroupName'] for g in n['Groups'])\n\
         former = lambda n: sorted(t['Value'].split() for t in n['TagSet'] if t['Key'] == 'rectify:former-groups')\n\
         quarantine = ec2.describe_security_groups(Filters=[dict(Name='vpc-id', Values=[i['VpcId']]), dict(Name='group-name', Values=['rectify-quarantine'])])['SecurityGroups']\n\
         snapshots = ec2.describe_snapshots(Filters=[dict(Name='tag:rectify:guardduty-finding', Values=['16afba5c5c43e07c9e3e5e2e544e95df'])])['Snapshots']\n\
         answer(dict(groups=[names(n) for n in interfaces], former=sorted(g for n in interfaces for g in former(n)), \
           rules=[len(g['IpPermissions']) + len(g['IpPermissionsEgress']) for g in quarantine], \
           snapshots=sorted(s['VolumeId'] for s in snapshots), volumes=sorted(b['Ebs']['VolumeId'] for b in i['BlockDeviceMappings']), \
           scaling=scaling.describe_auto_scaling_instances(InstanceIds=['{instance}'])['AutoScalingInstances'], state=i['State']['Name']))"
    ))
}

#[test]
fn a_compromised_instance_is_isolated_once() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve = serve(&account, &webhook, &format!("{{{ISOLATION}: {{enabled: true}}}}"));
    let (instance, groups) = instance(&account);
    let first = event("1", "aws.guardduty", "GuardDuty Finding", &finding(&instance));
    assert_eq!(post(&serve, &first)["started"], 1);
    let output = ended(&account, &serve, ISOLATION, 0);
    assert_eq!((&output["Outcome"], &output["Problems"]), (&json!("ISOLATED"), &json!([])), "{output:#}");

    let isolated = seen(&account, &instance);
    assert_eq!(isolated["groups"], json!([["rectify-quarantine"], ["rectify-quarantine"]]));
    let mut both: Vec<&str> = groups.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let web = both[0];
    both.sort_unstable();
    let former = isolated["former"].as_array().unwrap();
    let mut kept: Vec<Vec<&str>> =
        former.iter().map(|one| one.as_array().unwrap().iter().filter_map(Value::as_str).collect()).collect();
    kept.iter_mut().for_each(|one| one.sort_unstable());
    assert!(kept.len() == 2 && kept.contains(&both) && kept.contains(&vec![web]), "{kept:?} of {groups}");
    assert_eq!(isolated["rules"], json!([0]), "one group without rules");
    assert_eq!(isolated["snapshots"], isolated["volumes"]);
    assert_eq!(isolated["volumes"].as_array().unwrap().len(), 2);
    assert_eq!((&isolated["scaling"], &isolated["state"]), (&json!([]), &json!("running")));
    let told = until("the message", || webhook.messages().into_iter().next());
    let text = told["text"].as_str().unwrap();
    for part in [&instance, "[HIGH] The instance", "Owner: payments (tag Team)", "workers", "Way back"] {
        assert!(text.contains(part), "{text}");
    }

    // Delivered again, and told again by GuardDuty as another event.
    assert_eq!(post(&serve, &first)["duplicates"], 1);
    assert_eq!(post(&serve, &event("2", "aws.guardduty", "GuardDuty Finding", &finding(&instance)))["started"], 1);
    let output = ended(&account, &serve, ISOLATION, 1);
    assert_eq!((&output["Moved"], &output["Snapshots"], &output["Detached"]), (&json!([]), &json!([]), &json!([])));
    assert_eq!(executions(&account, &serve, ISOLATION).len(), 2);
    assert_eq!(seen(&account, &instance), isolated);
    assert_eq!(webhook.messages().len(), 1, "nothing changed, nothing is said");
}

#[test]
fn a_person_is_asked_before_an_instance_is_isolated() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve =
        serve(&account, &webhook, &format!("{{{ISOLATION}: {{enabled: true, parameters: {{approve: true}}}}}}"));
    let (instance, _) = instance(&account);
    let before = seen(&account, &instance);
    for (id, approved) in [("1", "false"), ("2", "true")] {
        post(&serve, &event(id, "aws.guardduty", "GuardDuty Finding", &finding(&instance)));
        let question = until("the question", || {
            webhook.messages().into_iter().filter(|message| message["kind"] == "question").nth(usize::from(id == "2"))
        });
        assert_eq!(seen(&account, &instance), before);
        let text = question["text"].as_str().unwrap();
        let token = text.split_once("--task-token ").unwrap().1.split(' ').next().unwrap();
        let script = format!(
            "client('stepfunctions').send_task_success(taskToken='{token}', output=json.dumps(dict(Approved=json.loads('{approved}'))))"
        );
        account.python_with(&serve.url(), &serve.data().join("credentials"), &script);
        let output = ended(&account, &serve, ISOLATION, usize::from(id == "2"));
        assert_eq!(output["Outcome"], if id == "1" { "LEFT" } else { "ISOLATED" });
        assert!(!serve.log().contains(token), "the token is in the log");
    }
    assert_eq!(seen(&account, &instance)["groups"], json!([["rectify-quarantine"], ["rectify-quarantine"]]));
}

#[test]
fn an_instance_that_is_gone_is_told() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve = serve(&account, &webhook, &format!("{{{ISOLATION}: {{enabled: true}}}}"));
    post(&serve, &event("1", "aws.guardduty", "GuardDuty Finding", &finding("i-0123456789abcdef0")));
    assert_eq!(ended(&account, &serve, ISOLATION, 0)["Why"], "the instance is gone");
    let told = until("the message", || webhook.messages().into_iter().next());
    assert!(told["text"].as_str().unwrap().contains("is not isolated"));
}

fn exposed(keys: &[&str]) -> Value {
    let entities: Vec<Value> = keys.iter().map(|key| json!({"entityValue": key})).collect();
    json!({
        "eventArn": "arn:aws:health:us-east-1::event/RISK/AWS_RISK_CREDENTIALS_EXPOSED/AWS_RISK_CREDENTIALS_EXPOSED_1",
        "service": "RISK", "eventTypeCode": "AWS_RISK_CREDENTIALS_EXPOSED", "eventTypeCategory": "issue", "affectedEntities": entities,
    })
}

/// The keys of bob with their status, and his inline policies.
fn bob(account: &Account) -> Value {
    account.python(
        "iam = client('iam')\n\
         answer([{k['AccessKeyId']: k['Status'] for k in iam.list_access_keys(UserName='bob')['AccessKeyMetadata']}, \
           {n: iam.get_user_policy(UserName='bob', PolicyName=n)['PolicyDocument'] for n in iam.list_user_policies(UserName='bob')['PolicyNames']}])",
    )
}

#[test]
fn a_leaked_key_is_deactivated_once() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve = serve(&account, &webhook, &format!("{{{LEAKED}: {{enabled: true}}}}"));
    let keys = account.python(
        "iam = client('iam'); iam.create_user(UserName='bob', Tags=[dict(Key='owner-email', Value='bob@example.com')])\n\
         answer([iam.create_access_key(UserName='bob')['AccessKey']['AccessKeyId'] for _ in range(2)])",
    );
    let (leaked, other) = (keys[0].as_str().unwrap(), keys[1].as_str().unwrap());
    // Of two, one that is gone: it is told, and the other is dealt with all the same.
    let gone = "AKIAIOSFODNN7EXAMPLE";
    let first = event("1", "aws.health", "AWS Health Event", &exposed(&[gone, leaked]));
    assert_eq!(post(&serve, &first)["started"], 1);
    let output = ended(&account, &serve, LEAKED, 0);
    assert_eq!((&output[0]["Outcome"], &output[1]["Outcome"]), (&json!("LEFT"), &json!("DONE")), "{output:#}");
    let after = bob(&account);
    assert_eq!(after[0], json!({leaked: "Inactive", other: "Active"}));
    let policy = &after[1][format!("rectify-leaked-{leaked}")]["Statement"][0];
    assert_eq!((&policy["Effect"], &policy["Action"]), (&json!("Deny"), &json!("*")));
    assert!(policy["Condition"]["DateLessThan"]["aws:TokenIssueTime"].is_string(), "{policy}");
    let messages = webhook.messages();
    let texts: Vec<&str> = messages.iter().filter_map(|message| message["text"].as_str()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains(gone) && texts[0].contains("there is no such key any more"), "{}", texts[0]);
    // The emulated CloudTrail has no LookupEvents: the playbook says so and goes on.
    for part in [leaked, "[CRITICAL]", "Deactivated, of the user bob", "bob@example.com", "could not be looked up"] {
        assert!(texts[1].contains(part), "{part} in {}", texts[1]);
    }

    assert_eq!(post(&serve, &first)["duplicates"], 1);
    post(&serve, &event("2", "aws.health", "AWS Health Event", &exposed(&[leaked])));
    assert_eq!(ended(&account, &serve, LEAKED, 1)[0]["Outcome"], "UNCHANGED");
    assert_eq!(executions(&account, &serve, LEAKED).len(), 2);
    assert_eq!(bob(&account), after);
    assert_eq!(webhook.messages().len(), 2);
}

#[test]
fn the_sessions_of_a_role_are_cut_off_whose_key_leaked() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let serve = serve(&account, &webhook, &format!("{{{LEAKED}: {{enabled: true}}}}"));
    account.python("client('iam').create_role(RoleName='web', AssumeRolePolicyDocument='{}')");
    let detail = json!({
        "id": "f", "type": "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS", "severity": 8, "title": "Used from outside.",
        "resource": {"resourceType": "AccessKey", "accessKeyDetails": {"accessKeyId": "ASIAIOSFODNN7EXAMPLE", "userType": "AssumedRole", "userName": "web"}},
    });
    post(&serve, &event("1", "aws.guardduty", "GuardDuty Finding", &detail));
    assert_eq!(ended(&account, &serve, LEAKED, 0)[0]["Outcome"], "DONE");
    let policies = account.python("answer(client('iam').list_role_policies(RoleName='web')['PolicyNames'])");
    assert_eq!(policies, json!(["rectify-leaked-ASIAIOSFODNN7EXAMPLE"]));
}

#[test]
fn built_in_playbooks_are_off_until_told_and_unknown_ones_stop_the_start() {
    let Some(account) = Account::start() else { return };
    let webhook = Webhook::start();
    let running = serve(&account, &webhook, "{}");
    assert_eq!(
        post(&running, &event("1", "aws.health", "AWS Health Event", &exposed(&["AKIAIOSFODNN7EXAMPLE"])))["started"],
        0
    );
    let mut refused = Serve::prepare("playbooks: {leaked-acces-key: {enabled: true}}\n", &account.url);
    refused.restart(&[]);
    until("its end", || refused.has_ended().then_some(()));
    assert!(
        refused.log().contains("there is no playbook `leaked-acces-key`: did you mean `leaked-access-key`?"),
        "{}",
        refused.log()
    );
}

const OWN: &str = r#"id: own
title: Own
severity: LOW
event: {source: [own]}
input: {n: "{% $number($event.detail.n) %}", queue: "{% $event.detail.queue %}"}
concurrency: 1
---
QueryLanguage: JSONata
StartAt: Ask
States:
  Ask:
    Type: Task
    Resource: arn:aws:states:::sqs:sendMessage.waitForTaskToken
    Arguments:
      QueueUrl: "{% $states.input.queue %}"
      MessageBody: "{% {'n': $states.input.n, 'token': $states.context.Task.Token} %}"
    End: true
"#;

/// The next question by the queue, which has to be this execution's. The one before may have asked again after a crash: tasks are
/// performed at least once.
fn asked(account: &Account, queue: &str, n: &Value, before: Option<&Value>) -> Value {
    let question = until("the question", || Some(next(account, queue)).filter(|question| Some(question) != before));
    assert_eq!(question["n"], *n);
    question
}

fn next(account: &Account, queue: &str) -> Value {
    let script = format!(
        "sqs = client('sqs'); m = sqs.receive_message(QueueUrl='{queue}').get('Messages', [])\n\
         for one in m: sqs.delete_message(QueueUrl='{queue}', ReceiptHandle=one['ReceiptHandle'])\n\
         answer([json.loads(one['Body']) for one in m])"
    );
    until("the question", || account.python(&script).as_array().and_then(|asked| asked.first().cloned()))
}

fn answer(account: &Account, serve: &Serve, question: &Value) {
    let token = question["token"].as_str().unwrap();
    let script = format!("client('stepfunctions').send_task_success(taskToken='{token}', output='{{}}')");
    account.python_with(&serve.url(), &serve.data().join("credentials"), &script);
}

fn statuses(account: &Account, serve: &Serve) -> Vec<String> {
    let found = executions(account, serve, "own");
    found.iter().map(|execution| execution["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn one_at_a_time_in_their_order_also_across_kill_9() {
    let Some(account) = Account::start() else { return };
    let queue = account.python("answer(client('sqs').create_queue(QueueName='questions')['QueueUrl'])");
    let queue = queue.as_str().unwrap();
    let mut serve = Serve::prepare("", &account.url);
    let folder = serve.folder.path().join("playbooks");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("own.asl.yaml"), OWN).unwrap();
    fs::write(folder.join("broken.asl.yaml"), "id: broken\n---\nStartAt: A\n").unwrap();
    let configuration = format!("account: \"{ACCOUNT}\"\nplaybooks_folder: {}\n", folder.display());
    fs::write(serve.folder.path().join("rectify.yaml"), configuration).unwrap();
    serve.restart(&[]);
    serve.wait_until_ready();
    assert!(serve.log().contains("this playbook is left out"), "{}", serve.log());
    for n in ["1", "2", "3"] {
        post(&serve, &event(n, "own", "Own", &json!({"n": n, "queue": queue})));
    }
    let first = asked(&account, queue, &json!(1), None);
    serve.restart(&[]);
    serve.wait_until_ready();
    assert_eq!(statuses(&account, &serve), ["RUNNING", "RUNNING", "RUNNING"]);
    answer(&account, &serve, &first);
    // The second begins after the first has ended, and the third not yet: what comes next is the second's question.
    let second = asked(&account, queue, &json!(2), Some(&first));
    assert_eq!(statuses(&account, &serve), ["SUCCEEDED", "RUNNING", "RUNNING"]);
    answer(&account, &serve, &second);
    let third = asked(&account, queue, &json!(3), None);
    answer(&account, &serve, &third);
    until("the end of all", || (statuses(&account, &serve) == ["SUCCEEDED"; 3]).then_some(()));

    // What has no number can't be the input: that is kept, and can be retried once the playbook is mended.
    let wrong = post(&serve, &event("4", "own", "Own", &json!({"n": "four", "queue": queue})));
    assert_eq!((&wrong["received"], &wrong["started"]), (&json!(1), &json!(0)));
    let kept = serve.ask("GET", "/api/events", None).unwrap().body["events"][0].clone();
    assert_eq!(kept["origin"], "playbook own");
    let reason = kept["reason"].as_str().unwrap();
    assert!(reason.contains("the playbook `own` was not started: its input can't be made of this event"), "{reason}");
    let retry = format!("/api/events/{}/retry", kept["id"].as_str().unwrap());
    let again = serve.ask("POST", &retry, None).unwrap().body;
    assert_eq!((&again["started"], again["unreadable"].as_array().map(Vec::len)), (&json!(0), Some(1)), "{again}");
    fs::write(folder.join("own.asl.yaml"), OWN.replace("$number($event.detail.n)", "$event.detail.n")).unwrap();
    serve.restart(&[]);
    serve.wait_until_ready();
    assert_eq!(serve.ask("POST", &retry, None).unwrap().body["started"], 1);
    asked(&account, queue, &json!("four"), None);
    assert_eq!(serve.ask("POST", &retry, None).unwrap().status, 404);
}
