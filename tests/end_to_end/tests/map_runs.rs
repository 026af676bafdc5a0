//! Distributed Maps by boto3: every reader, batches, writers, tolerated failures, changes while they run, kill -9, redrives, Express.

use end_to_end::{Account, Serve};
use serde_json::{Value, json};

/// What every script begins with.
const BEGIN: &str = r#"
import time
states = client('stepfunctions', config=botocore.config.Config(inject_host_prefix=False, read_timeout=70, retries=dict(total_max_attempts=1)))
role = 'arn:aws:iam::123456789012:role/r'
echo = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
def machine(name, definition, **more): return states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role, **more)['stateMachineArn']
def processor(states, execution_type='STANDARD'): return {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": execution_type}, **states}
def map_of(more, processed=echo, execution_type='STANDARD'): return {"StartAt": "M", "States": {"M": {"Type": "Map", "End": True, "ItemProcessor": processor(processed, execution_type), **more}}}
def reader(config, action='getObject', **parameters): return {"ItemReader": {"Resource": f"arn:aws:states:::s3:{action}", "Parameters": {"Bucket": "items", **parameters}, "ReaderConfig": config}}
def ended(run):
    while (described := states.describe_execution(executionArn=run))['status'] == 'RUNNING': time.sleep(.02)
    return described
def begin(arn, input={}): return states.start_execution(stateMachineArn=arn, input=json.dumps(input))['executionArn']
def of(described): return json.loads(described['output']) if described['status'] == 'SUCCEEDED' else [described['error'], described['cause']]
def run(name, definition, input={}): return of(ended(begin(machine(name, definition), input)))
def map_run(execution): return states.describe_map_run(mapRunArn=states.list_map_runs(executionArn=execution)['mapRuns'][0]['mapRunArn'])
"#;

fn python(account: &Account, serve: &Serve, script: &str) -> Value {
    let script = format!("import botocore.config\n{BEGIN}{script}");
    account.python_with(&serve.url(), &serve.data().join("credentials"), &script)
}

fn house() -> Option<(Account, Serve)> {
    let account = Account::start()?;
    account.python("client('s3').create_bucket(Bucket='items'); client('s3').create_bucket(Bucket='results')");
    let serve = Serve::start("{}", &account.url);
    Some((account, serve))
}

#[test]
fn every_reader_reads() {
    let Some((account, serve)) = house() else { return };
    account.python(
        r#"
import gzip
s3 = client('s3')
def put(key, body): s3.put_object(Bucket='items', Key=key, Body=body if isinstance(body, bytes) else body.encode())
put('a.csv', '\ufeffid,name\r\n1,"a, ""b"""\r\n\r\n2\r\n3,c,more\r\n')
put('p.csv', '1|2\n3|4\n')
put('a.json', json.dumps({'x': {'a/b': [{'v': 1}, [2]]}, 'o': {'k': 1, 'l': {}}}))
put('a.jsonl', '{"v": 1}\n\n{"v": 2}')
put('packed.csv.gz', gzip.compress(b'v\n1\n2\n'))
put('empty.json', b'')
put('broken.json', '[1, 2')
put('many/1.json', '[1, 2]')
put('many/2.json', '[3]')
put('many/', '')
put('athena/manifest.csv', 's3://items/a.jsonl\ns3://items/b.jsonl\n')
put('b.jsonl', '{"v": 3}\n')
put('inventory/1.csv.gz', gzip.compress(b'"items","a.csv"\n"items","b.csv"\n'))
put('inventory/manifest.json', json.dumps({'destinationBucket': 'arn:aws:s3:::items', 'fileFormat': 'CSV', 'fileSchema': 'Bucket, Key', 'files': [{'key': 'inventory/1.csv.gz'}]}))
"#,
    );
    let said = python(
        &account,
        &serve,
        r#"
csv = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
given = {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a", "b"], "CSVDelimiter": "PIPE"}
listed = run('list', map_of(reader({}, 'listObjectsV2', Prefix='many/')))
answer([
    run('csv', map_of(reader(csv, Key='a.csv'))),
    run('given', map_of(reader(given, Key='p.csv'))),
    run('pointer', map_of(reader({"InputType": "JSON", "ItemsPointer": "/x/a~1b"}, Key='a.json'))),
    run('object', map_of({**reader({"InputType": "JSON", "ItemsPointer": "/o"}, Key='a.json'), "ItemSelector": {"k.$": "$$.Map.Item.Key", "v.$": "$$.Map.Item.Value", "s.$": "$$.Map.Item.Source"}})),
    run('jsonl', map_of(reader({"InputType": "JSONL", "MaxItems": 1}, Key='a.jsonl'))),
    run('gzip', map_of(reader(csv, Key='packed.csv.gz'))),
    run('flatten', map_of(reader({"InputType": "JSON", "Transformation": "LOAD_AND_FLATTEN"}, 'listObjectsV2', Prefix='many/'))),
    run('athena', map_of(reader({"InputType": "JSONL", "ManifestType": "ATHENA_DATA"}, Key='athena/manifest.csv'))),
    run('inventory', map_of(reader({"InputType": "MANIFEST"}, Key='inventory/manifest.json'))),
    run('state', map_of({"ItemSelector": {"i.$": "$$.Map.Item.Index", "k.$": "$$.Map.Item.Key", "v.$": "$$.Map.Item.Value"}}), {'a': 1, 'b': 2}),
    [sorted(item) for item in listed], [item['Key'] for item in listed],
    run('empty', map_of(reader({"InputType": "JSON"}, Key='empty.json')))[0],
    run('broken', map_of(reader({"InputType": "JSON"}, Key='broken.json'))),
    run('nothing', map_of(reader({"InputType": "JSON"}, Key='none.json')))[0],
])
"#,
    );
    let metadata = json!(["Etag", "Key", "LastModified", "Size", "StorageClass"]);
    let expected = json!([
        [{"id": "1", "name": "a, \"b\""}, {"id": "2", "name": ""}, {"id": "3", "name": "c"}],
        [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}],
        [{"v": 1}, [2]],
        [{"k": "k", "v": 1, "s": "S3://items/a.json"}, {"k": "l", "v": {}, "s": "S3://items/a.json"}],
        [{"v": 1}],
        [{"v": "1"}, {"v": "2"}],
        [1, 2, 3],
        [{"v": 1}, {"v": 2}, {"v": 3}],
        [{"Bucket": "items", "Key": "a.csv"}, {"Bucket": "items", "Key": "b.csv"}],
        [{"i": 0, "k": "a", "v": 1}, {"i": 1, "k": "b", "v": 2}],
        [metadata, metadata, metadata],
        ["many/", "many/1.json", "many/2.json"],
        "States.ItemReaderFailed",
        said[13],
        "States.ItemReaderFailed",
    ]);
    assert_eq!(said, expected);
    assert_eq!(said[13][0], "States.ItemReaderFailed");
    assert!(said[13][1].as_str().is_some_and(|cause| cause.contains("not JSON")), "{}", said[13]);
}

#[test]
fn batches_writers_and_tolerated_failures() {
    let Some((account, serve)) = house() else { return };
    let said = python(
        &account,
        &serve,
        r#"
fails = {"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericLessThan": 3, "Next": "F"}], "Default": "P"},
    "F": {"Type": "Fail", "Error": "Small", "Cause": "less than 3"}, "P": {"Type": "Pass", "End": True}}}
ten = list(range(10))
def tolerated(name, more): return run(name, map_of(more, fails), ten)
def writer(config, **more): return {"ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "results", **more}, "WriterConfig": config}}
exported = run('exported', map_of({**writer({"Transformation": "COMPACT", "OutputType": "JSONL"}, Prefix='p'), "ToleratedFailurePercentage": 30}, fails), ten)
failed = ended(begin(machine('failed', map_of({**writer({"Transformation": "NONE", "OutputType": "JSON"}), "MaxConcurrency": 1}, fails)), ten))
answer([
    run('count', map_of({"ItemBatcher": {"MaxItemsPerBatch": 4, "BatchInput": {"b.$": "$[0]"}}}), ten),
    run('bytes', map_of({"ItemBatcher": {"MaxInputBytesPerBatch": 20}}), ten),
    run('flat', map_of({"ItemBatcher": {"MaxItemsPerBatch": 6}, "ResultWriter": {"WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSON"}}},
        {"StartAt": "P", "States": {"P": {"Type": "Pass", "OutputPath": "$.Items", "End": True}}}), ten),
    tolerated('none', {})[0], tolerated('zero', {"ToleratedFailureCount": 0})[0], tolerated('two', {"ToleratedFailureCount": 2})[0],
    [item if isinstance(item, int) else item['Error'] for item in tolerated('three', {"ToleratedFailureCount": 3})],
    tolerated('twenty', {"ToleratedFailurePercentage": 20})[0], len(tolerated('thirty', {"ToleratedFailurePercentage": 30})),
    len(run('all', map_of({"ToleratedFailurePercentage": 100}, {"StartAt": "F", "States": {"F": {"Type": "Fail"}}}), ten)),
    tolerated('path', {"ToleratedFailureCountPath": "$[2]"})[0],
    exported, [failed['status'], failed['error']], map_run(failed['executionArn'])['mapRunArn'], map_run(failed['executionArn'])['executionCounts'],
])
"#,
    );
    let batch = |from: u32, to: u32| json!({"Items": (from..to).collect::<Vec<u32>>()});
    let with_input = |from: u32, to: u32| json!({"BatchInput": {"b": 0}, "Items": (from..to).collect::<Vec<u32>>()});
    let said = said.as_array().cloned().unwrap_or_default();
    let exceeded = json!("States.ExceedToleratedFailureThreshold");
    let expected = [
        json!([with_input(0, 4), with_input(4, 8), with_input(8, 10)]),
        json!([batch(0, 4), batch(4, 8), batch(8, 10)]),
        json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        exceeded.clone(),
        exceeded.clone(),
        exceeded.clone(),
        json!(["Small", "Small", "Small", 3, 4, 5, 6, 7, 8, 9]),
        exceeded.clone(),
        json!(10),
        json!(10),
        exceeded.clone(),
    ];
    let (checked, rest) = said.split_at(expected.len().min(said.len()));
    assert_eq!(checked, expected);
    let [exported, failed, run_arn, counts] = rest else { panic!("{rest:?}") };
    assert_eq!(failed, &json!(["FAILED", exceeded]));
    assert_eq!(
        (&counts["failed"], &counts["pending"], &counts["total"]),
        (&json!(1), &json!(9), &json!(10)),
        "{counts}"
    );
    let key = exported["ResultWriterDetails"]["Key"].as_str().unwrap_or_default().to_owned();
    let manifest = account.python(&format!(
        r#"
def read(key): return client('s3').get_object(Bucket='results', Key=key)['Body'].read().decode()
manifest = json.loads(read('{key}'))
files = manifest['ResultFiles']
folder = {run_arn}.rsplit(':', 1)[1]
of_failed = json.loads(read(folder + '/manifest.json'))['ResultFiles']
answer([sorted(manifest), [len(files[group]) for group in ['SUCCEEDED', 'FAILED', 'PENDING']], read(files['SUCCEEDED'][0]['Key']),
    files['SUCCEEDED'][0]['Key'].rsplit('/')[-1], [json.loads(line)['Error'] for line in read(files['FAILED'][0]['Key']).splitlines()],
    [[len(json.loads(read(file['Key']))) for file in of_failed[group]] for group in ['SUCCEEDED', 'FAILED', 'PENDING']]])
"#,
    ));
    let expected = json!([
        ["DestinationBucket", "MapRunArn", "ResultFiles"],
        [1, 1, 0],
        "3\n4\n5\n6\n7\n8\n9\n",
        "SUCCEEDED_0.jsonl",
        ["Small", "Small", "Small"],
        [[], [1], [9]],
    ]);
    assert_eq!(manifest, expected);
}

#[test]
fn a_run_is_changed_stopped_killed_and_redriven() {
    let Some((account, mut serve)) = house() else { return };
    account.python(
        "client('s3').put_object(Bucket='items', Key='n.csv', Body=b'n\\n' + b''.join(b'%d\\n' % n for n in range(400)))",
    );
    let before = python(
        &account,
        &serve,
        r#"
csv = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
waits = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "Next": "P"}, "P": {"Type": "Pass", "End": True}}}
slow = begin(machine('slow', map_of({**reader(csv, Key='n.csv'), "MaxConcurrency": 2}, waits)))
def running(count):
    while True:
        try:
            described = map_run(slow)
            if described['executionCounts']['running'] == count: return described
        except IndexError: pass
        time.sleep(.02)
two = running(2)
states.update_map_run(mapRunArn=two['mapRunArn'], maxConcurrency=5)
five = running(5)
states.stop_execution(executionArn=slow)
while (stopped := map_run(slow))['status'] == 'RUNNING': time.sleep(.02)
counted = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Next": "Q"}, "Q": {"Type": "Wait", "Seconds": 1, "Next": "R"}, "R": {"Type": "Pass", "End": True}}}
runs = [begin(machine(f'killed-{kind}', map_of({**reader(csv, Key='n.csv'), "MaxConcurrency": 100}, counted, kind))) for kind in ['STANDARD', 'EXPRESS']]
while True:
    try:
        if all(map_run(run)['itemCounts']['running'] > 20 for run in runs): break
    except IndexError: pass
    time.sleep(.02)
answer([five['maxConcurrency'], stopped['status'], stopped['executionCounts']['aborted'], runs])
"#,
    );
    let [concurrency, status, aborted, runs] = before
        .as_array()
        .and_then(|said| <&[_; 4]>::try_from(said.as_slice()).ok())
        .unwrap_or_else(|| panic!("{before}"));
    assert_eq!((concurrency, status, aborted), (&json!(5), &json!("ABORTED"), &json!(5)));
    serve.kill();
    serve.restart(&[]);
    serve.wait_until_ready();
    let script = format!(
        "runs = {runs}\n{}",
        r#"
def all_of(run):
    output = of(ended(run))
    counts = map_run(run)['executionCounts']
    return [[int(item['n']) for item in output] == list(range(400)), counts['succeeded'], counts['total'], counts['running']]
def refused(call, **arguments):
    try: return len(call(**arguments)['executions'])
    except botocore.exceptions.ClientError as error: return error.response['Error']['Code']
answer([[all_of(run) for run in runs], [refused(states.list_executions, mapRunArn=map_run(run)['mapRunArn'], maxResults=1000) for run in runs]])
"#
    );
    let whole = json!([true, 400, 400, 0]);
    assert_eq!(python(&account, &serve, &script), json!([[whole, whole], [400, "StateMachineTypeNotSupported"]]));
}

#[test]
fn a_redrive_by_the_api() {
    let Some((account, serve)) = house() else { return };
    let said = python(
        &account,
        &serve,
        r#"
reads = {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject", "Parameters": {"Bucket": "items", "Key.$": "$"}, "ResultSelector": {"n.$": "$.ContentLength"}, "End": True}}}
def counts(run):
    counts = run['executionCounts']
    # The last one may be stopped before it fails: two are too many.
    return dict(unsuccessful=counts['failed'] + counts['aborted'], enough=counts['failed'] >= 2, **{name: counts[name] for name in ['succeeded', 'pendingRedrive', 'failuresNotRedrivable', 'total']})
found = []
for kind in ['STANDARD', 'EXPRESS']:
    run = begin(machine(f'reads-{kind}', map_of({"ToleratedFailurePercentage": 50}, reads, kind)), ['a', 'b', 'c'])
    first = ended(run)
    found.append([kind, run, first['status'], first.get('error'), first['redriveStatus'], counts(map_run(run))])
answer(found)
"#,
    );
    account.python("[client('s3').put_object(Bucket='items', Key=key, Body=b'12') for key in 'abc']");
    let runs: Vec<&Value> = said.as_array().into_iter().flatten().map(|found| &found[1]).collect();
    let failed = json!({"succeeded": 0, "unsuccessful": 3, "enough": true, "pendingRedrive": 0, "failuresNotRedrivable": 0, "total": 3});
    for found in said.as_array().into_iter().flatten() {
        let expected = json!(["FAILED", "States.ExceedToleratedFailureThreshold", "REDRIVABLE", failed]);
        assert_eq!(json!([found[2], found[3], found[4], found[5]]), expected);
    }
    let script = format!(
        "runs = {}\n{}",
        json!(runs),
        r#"
found = []
for run in runs:
    states.redrive_execution(executionArn=run)
    output = of(ended(run))
    described = map_run(run)
    history = [event.get('mapRunRedrivenEventDetails', {}).get('redriveCount', event['type']) for event in states.get_execution_history(executionArn=run, maxResults=100)['events']]
    found.append([output, described['status'], described['redriveCount'], 'redriveDate' in described, described['executionCounts']['succeeded'], history[-7:]])
child = states.list_executions(mapRunArn=map_run(runs[0])['mapRunArn'], redriveFilter='REDRIVEN')['executions']
answer([found, len(child), {execution['redriveCount'] for execution in child} == {1}])
"#
    );
    let history = json!([
        "ExecutionFailed",
        "ExecutionRedriven",
        1,
        "MapRunSucceeded",
        "MapStateSucceeded",
        "MapStateExited",
        "ExecutionSucceeded"
    ]);
    let one = json!([[{"n": 2}, {"n": 2}, {"n": 2}], "SUCCEEDED", 1, true, 3, history]);
    assert_eq!(python(&account, &serve, &script), json!([[one, one], 3, true]));
}
