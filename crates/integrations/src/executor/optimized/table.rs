//! The rows. Pointers, names and end states are those of each API's reference; which patterns there are is told by
//! `asl::integration`.
//!
//! Source: the page of each service in <https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html>

use asl::integration::Pattern;
use engine::ports::Task;
use serde_json::{Map, Value, json};

use super::{
    super::Failure,
    dynamo_db, elastic_map_reduce, events,
    row::{
        Argument::{List, One},
        JOB, Job, Row, row,
    },
};

/// The row of a service's action.
pub(super) fn find(service: &str, action: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.service == service && row.action == action)
}

const fn job(service: &'static str, action: &'static str, aws_service: &'static str, job: Job) -> Row {
    Row { job: Some(job), ..row(service, action, aws_service) }
}

pub(super) static ROWS: &[Row] = &[
    Row { texts: &["MessageBody"], ..row("sqs", "sendMessage", "sqs") },
    Row { texts: &["Message"], ..row("sns", "publish", "sns") },
    Row { answer: dynamo_db::answer, ..row("dynamodb", "getItem", "dynamodb") },
    Row { answer: dynamo_db::answer, ..row("dynamodb", "putItem", "dynamodb") },
    Row { answer: dynamo_db::answer, ..row("dynamodb", "deleteItem", "dynamodb") },
    Row { answer: dynamo_db::answer, ..row("dynamodb", "updateItem", "dynamodb") },
    Row { request: events::request, answer: events::answer, ..row("events", "putEvents", "eventbridge") },
    Row {
        texts: &["Input"],
        request: |parameters, task| Ok(once_by("Name", parameters, task)),
        ..job(
            "states",
            "startExecution",
            "sfn",
            Job {
                describe: "describeExecution",
                by: &[One("ExecutionArn", "/Answer/ExecutionArn")],
                status: "/Status",
                good: &["SUCCEEDED"],
                bad: &["FAILED", "TIMED_OUT", "ABORTED"],
                // As recorded on AWS.
                hidden: &["RedriveCount", "RedriveStatus", "RedriveStatusReason"],
                output: execution_output,
                stop: Some(("stopExecution", &[One("ExecutionArn", "/Answer/ExecutionArn"), One("Cause", "/Aborted")])),
                ..JOB
            },
        )
    },
    Row {
        request: start_tasks,
        answer: tasks_started,
        ..job(
            "ecs",
            "runTask",
            "ecs",
            Job {
                describe: "describeTasks",
                by: &[One("Cluster", "/Answer/Tasks/0/ClusterArn"), List("Tasks", "/Answer/Tasks/0/TaskArn")],
                status: "/Tasks/0/LastStatus",
                good: &["STOPPED"],
                went_well: containers_went_well,
                shown: "/Tasks/0",
                stop: Some((
                    "stopTask",
                    &[
                        One("Cluster", "/Answer/Tasks/0/ClusterArn"),
                        One("Task", "/Answer/Tasks/0/TaskArn"),
                        One("Reason", "/Aborted"),
                    ],
                )),
                ..JOB
            },
        )
    },
    job(
        "batch",
        "submitJob",
        "batch",
        Job {
            describe: "describeJobs",
            by: &[List("Jobs", "/Answer/JobId")],
            status: "/Jobs/0/Status",
            good: &["SUCCEEDED"],
            bad: &["FAILED"],
            shown: "/Jobs/0",
            stop: Some(("terminateJob", &[One("JobId", "/Answer/JobId"), One("Reason", "/Aborted")])),
            ..JOB
        },
    ),
    job(
        "glue",
        "startJobRun",
        "glue",
        Job {
            describe: "getJobRun",
            by: &[One("JobName", "/Parameters/JobName"), One("RunId", "/Answer/JobRunId")],
            status: "/JobRun/JobRunState",
            good: &["SUCCEEDED"],
            bad: &["FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"],
            shown: "/JobRun",
            stop: Some((
                "batchStopJobRun",
                &[One("JobName", "/Parameters/JobName"), List("JobRunIds", "/Answer/JobRunId")],
            )),
            ..JOB
        },
    ),
    job(
        "databrew",
        "startJobRun",
        "databrew",
        Job {
            describe: "describeJobRun",
            by: &[One("Name", "/Parameters/Name"), One("RunId", "/Answer/RunId")],
            status: "/State",
            good: &["SUCCEEDED"],
            bad: &["FAILED", "STOPPED", "TIMEOUT"],
            stop: Some(("stopJobRun", &[One("Name", "/Parameters/Name"), One("RunId", "/Answer/RunId")])),
            ..JOB
        },
    ),
    job(
        "athena",
        "startQueryExecution",
        "athena",
        Job {
            describe: "getQueryExecution",
            by: &[One("QueryExecutionId", "/Answer/QueryExecutionId")],
            status: "/QueryExecution/Status/State",
            good: &["SUCCEEDED"],
            bad: &["FAILED", "CANCELLED"],
            stop: Some(("stopQueryExecution", &[One("QueryExecutionId", "/Answer/QueryExecutionId")])),
            ..JOB
        },
    ),
    row("athena", "stopQueryExecution", "athena"),
    row("athena", "getQueryExecution", "athena"),
    row("athena", "getQueryResults", "athena"),
    Row {
        request: build_once,
        ..job(
            "codebuild",
            "startBuild",
            "codebuild",
            Job {
                describe: "batchGetBuilds",
                by: &[List("Ids", "/Answer/Build/Id")],
                status: "/Builds/0/BuildStatus",
                good: &["SUCCEEDED"],
                bad: &["FAILED", "FAULT", "TIMED_OUT", "STOPPED"],
                shown: "/Builds/0",
                output: |build, _| json!({"Build": build}),
                stop: Some(("stopBuild", &[One("Id", "/Answer/Build/Id")])),
                ..JOB
            },
        )
    },
    row("codebuild", "stopBuild", "codebuild"),
    row("codebuild", "batchDeleteBuilds", "codebuild"),
    row("codebuild", "batchGetReports", "codebuild"),
    Row { request: build_once, ..job("codebuild", "startBuildBatch", "codebuild", BUILD_BATCH) },
    row("codebuild", "stopBuildBatch", "codebuild"),
    Row { request: build_once, ..job("codebuild", "retryBuildBatch", "codebuild", BUILD_BATCH) },
    row("codebuild", "deleteBuildBatch", "codebuild"),
    row("sagemaker", "createEndpoint", "sagemaker"),
    row("sagemaker", "createEndpointConfig", "sagemaker"),
    row("sagemaker", "createModel", "sagemaker"),
    row("sagemaker", "updateEndpoint", "sagemaker"),
    job(
        "sagemaker",
        "createTrainingJob",
        "sagemaker",
        Job {
            describe: "describeTrainingJob",
            by: &[One("TrainingJobName", "/Parameters/TrainingJobName")],
            status: "/TrainingJobStatus",
            stop: Some(("stopTrainingJob", &[One("TrainingJobName", "/Parameters/TrainingJobName")])),
            ..SAGEMAKER_JOB
        },
    ),
    job(
        "sagemaker",
        "createTransformJob",
        "sagemaker",
        Job {
            describe: "describeTransformJob",
            by: &[One("TransformJobName", "/Parameters/TransformJobName")],
            status: "/TransformJobStatus",
            stop: Some(("stopTransformJob", &[One("TransformJobName", "/Parameters/TransformJobName")])),
            ..SAGEMAKER_JOB
        },
    ),
    job(
        "sagemaker",
        "createProcessingJob",
        "sagemaker",
        Job {
            describe: "describeProcessingJob",
            by: &[One("ProcessingJobName", "/Parameters/ProcessingJobName")],
            status: "/ProcessingJobStatus",
            stop: Some(("stopProcessingJob", &[One("ProcessingJobName", "/Parameters/ProcessingJobName")])),
            ..SAGEMAKER_JOB
        },
    ),
    job(
        "sagemaker",
        "createLabelingJob",
        "sagemaker",
        Job {
            describe: "describeLabelingJob",
            by: &[One("LabelingJobName", "/Parameters/LabelingJobName")],
            status: "/LabelingJobStatus",
            stop: Some(("stopLabelingJob", &[One("LabelingJobName", "/Parameters/LabelingJobName")])),
            ..SAGEMAKER_JOB
        },
    ),
    job(
        "sagemaker",
        "createHyperParameterTuningJob",
        "sagemaker",
        Job {
            describe: "describeHyperParameterTuningJob",
            by: &[One("HyperParameterTuningJobName", "/Parameters/HyperParameterTuningJobName")],
            status: "/HyperParameterTuningJobStatus",
            stop: Some((
                "stopHyperParameterTuningJob",
                &[One("HyperParameterTuningJobName", "/Parameters/HyperParameterTuningJobName")],
            )),
            ..SAGEMAKER_JOB
        },
    ),
    Row {
        aws_action: "runJobFlow",
        answer: elastic_map_reduce::cluster_created,
        ..job(
            "elasticmapreduce",
            "createCluster",
            "emr",
            Job {
                describe: "describeCluster",
                by: &[One("ClusterId", "/Answer/ClusterId")],
                status: "/Cluster/Status/State",
                good: &["WAITING"],
                bad: &["TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"],
                kept: &["ClusterId"],
                ..JOB
            },
        )
    },
    Row {
        aws_action: "terminateJobFlows",
        request: elastic_map_reduce::of_clusters,
        ..job(
            "elasticmapreduce",
            "terminateCluster",
            "emr",
            Job {
                describe: "describeCluster",
                by: &[One("ClusterId", "/Parameters/ClusterId")],
                status: "/Cluster/Status/State",
                good: &["TERMINATED", "TERMINATED_WITH_ERRORS"],
                ..JOB
            },
        )
    },
    Row {
        aws_action: "addJobFlowSteps",
        request: elastic_map_reduce::add_step,
        answer: elastic_map_reduce::step_added,
        ..job(
            "elasticmapreduce",
            "addStep",
            "emr",
            Job {
                describe: "describeStep",
                by: &[One("ClusterId", "/Parameters/ClusterId"), One("StepId", "/Answer/StepId")],
                status: "/Step/Status/State",
                good: &["COMPLETED"],
                bad: &["FAILED", "CANCELLED", "INTERRUPTED"],
                kept: &["StepId"],
                stop: Some((
                    "cancelSteps",
                    &[One("ClusterId", "/Parameters/ClusterId"), List("StepIds", "/Answer/StepId")],
                )),
                ..JOB
            },
        )
    },
    Row {
        aws_action: "cancelSteps",
        request: elastic_map_reduce::cancel_step,
        answer: elastic_map_reduce::step_cancelled,
        ..row("elasticmapreduce", "cancelStep", "emr")
    },
    Row {
        aws_action: "setTerminationProtection",
        request: elastic_map_reduce::of_clusters,
        ..row("elasticmapreduce", "setClusterTerminationProtection", "emr")
    },
    row("emr-containers", "createVirtualCluster", "emrcontainers"),
    job(
        "emr-containers",
        "deleteVirtualCluster",
        "emrcontainers",
        Job {
            describe: "describeVirtualCluster",
            by: &[One("Id", "/Parameters/Id")],
            status: "/VirtualCluster/State",
            good: &["TERMINATED"],
            bad: &["ARRESTED"],
            gone: true,
            shown: "/VirtualCluster",
            ..JOB
        },
    ),
    job(
        "emr-containers",
        "startJobRun",
        "emrcontainers",
        Job {
            describe: "describeJobRun",
            by: &[One("Id", "/Answer/Id"), One("VirtualClusterId", "/Parameters/VirtualClusterId")],
            status: "/JobRun/State",
            good: &["COMPLETED"],
            bad: &["FAILED", "CANCELLED"],
            shown: "/JobRun",
            stop: Some((
                "cancelJobRun",
                &[One("Id", "/Answer/Id"), One("VirtualClusterId", "/Parameters/VirtualClusterId")],
            )),
            ..JOB
        },
    ),
    job(
        "emr-serverless",
        "createApplication",
        "emrserverless",
        Job {
            by: &[One("ApplicationId", "/Answer/ApplicationId")],
            good: &["CREATED", "STARTING", "STARTED"],
            bad: &["TERMINATED"],
            ..APPLICATION
        },
    ),
    job(
        "emr-serverless",
        "startApplication",
        "emrserverless",
        Job { good: &["STARTED"], bad: &["STOPPING", "STOPPED", "TERMINATED"], ..APPLICATION },
    ),
    job(
        "emr-serverless",
        "stopApplication",
        "emrserverless",
        Job { good: &["STOPPED", "CREATED"], bad: &["TERMINATED"], ..APPLICATION },
    ),
    job(
        "emr-serverless",
        "deleteApplication",
        "emrserverless",
        Job { good: &["TERMINATED"], gone: true, ..APPLICATION },
    ),
    job(
        "emr-serverless",
        "startJobRun",
        "emrserverless",
        Job {
            good: &["SUCCESS"],
            bad: &["FAILED", "CANCELLED"],
            by: &[One("ApplicationId", "/Parameters/ApplicationId"), One("JobRunId", "/Answer/JobRunId")],
            stop: Some((
                "cancelJobRun",
                &[One("ApplicationId", "/Parameters/ApplicationId"), One("JobRunId", "/Answer/JobRunId")],
            )),
            ..SERVERLESS_RUN
        },
    ),
    job(
        "emr-serverless",
        "cancelJobRun",
        "emrserverless",
        Job {
            good: &["CANCELLED"],
            bad: &["FAILED", "SUCCESS"],
            by: &[One("ApplicationId", "/Parameters/ApplicationId"), One("JobRunId", "/Parameters/JobRunId")],
            ..SERVERLESS_RUN
        },
    ),
    job("eks", "createCluster", "eks", Job { good: &["ACTIVE"], bad: &["FAILED", "DELETING"], ..EKS_CLUSTER }),
    job("eks", "deleteCluster", "eks", Job { bad: &["FAILED"], gone: true, ..EKS_CLUSTER }),
    job(
        "eks",
        "createFargateProfile",
        "eks",
        Job { good: &["ACTIVE"], bad: &["CREATE_FAILED", "DELETING"], ..FARGATE_PROFILE },
    ),
    job("eks", "deleteFargateProfile", "eks", Job { bad: &["DELETE_FAILED"], gone: true, ..FARGATE_PROFILE }),
    job(
        "eks",
        "createNodegroup",
        "eks",
        Job { good: &["ACTIVE"], bad: &["CREATE_FAILED", "DELETING", "DEGRADED"], ..NODEGROUP },
    ),
    job("eks", "deleteNodegroup", "eks", Job { bad: &["DELETE_FAILED"], gone: true, ..NODEGROUP }),
    Row {
        texts: &["Body"],
        request: |parameters, _| match ["Input", "Output"].iter().find(|name| parameters.contains_key(**name)) {
            None => Ok(parameters),
            Some(name) => Err(Failure::runtime(format!(
                "`{name}` of `bedrock:invokeModel` is not supported here: give the `Body`, and keep the result with an s3 task"
            ))),
        },
        answer: |mut answer, _| {
            let body = answer.get("Body").and_then(Value::as_str).and_then(|body| serde_json::from_str(body).ok());
            if let Some(body) = body {
                answer.insert("Body".to_owned(), body);
            }
            Ok(answer)
        },
        ..row("bedrock", "invokeModel", "bedrockruntime")
    },
    job(
        "bedrock",
        "createModelCustomizationJob",
        "bedrock",
        Job {
            describe: "getModelCustomizationJob",
            by: &[One("JobIdentifier", "/Answer/JobArn")],
            status: "/Status",
            good: &["Completed"],
            bad: &["Failed", "Stopped"],
            stop: Some(("stopModelCustomizationJob", &[One("JobIdentifier", "/Answer/JobArn")])),
            ..JOB
        },
    ),
    job(
        "mediaconvert",
        "createJob",
        "mediaconvert",
        Job {
            describe: "getJob",
            by: &[One("Id", "/Answer/Job/Id")],
            status: "/Job/Status",
            good: &["COMPLETE"],
            bad: &["ERROR", "CANCELED"],
            stop: Some(("cancelJob", &[One("Id", "/Answer/Job/Id")])),
            ..JOB
        },
    ),
];

const BUILD_BATCH: Job = Job {
    describe: "batchGetBuildBatches",
    by: &[List("Ids", "/Answer/BuildBatch/Id")],
    status: "/BuildBatches/0/BuildBatchStatus",
    good: &["SUCCEEDED"],
    bad: &["FAILED", "FAULT", "TIMED_OUT", "STOPPED"],
    shown: "/BuildBatches/0",
    output: |batch, _| json!({"BuildBatch": batch}),
    stop: Some(("stopBuildBatch", &[One("Id", "/Answer/BuildBatch/Id")])),
    ..JOB
};

const SAGEMAKER_JOB: Job = Job { good: &["Completed"], bad: &["Failed", "Stopped"], ..JOB };

const APPLICATION: Job = Job {
    describe: "getApplication",
    by: &[One("ApplicationId", "/Parameters/ApplicationId")],
    status: "/Application/State",
    shown: "/Application",
    ..JOB
};

const SERVERLESS_RUN: Job = Job { describe: "getJobRun", status: "/JobRun/State", shown: "/JobRun", ..JOB };

const EKS_CLUSTER: Job =
    Job { describe: "describeCluster", by: &[One("Name", "/Parameters/Name")], status: "/Cluster/Status", ..JOB };

const FARGATE_PROFILE: Job = Job {
    describe: "describeFargateProfile",
    by: &[One("ClusterName", "/Parameters/ClusterName"), One("FargateProfileName", "/Parameters/FargateProfileName")],
    status: "/FargateProfile/Status",
    ..JOB
};

const NODEGROUP: Job = Job {
    describe: "describeNodegroup",
    by: &[One("ClusterName", "/Parameters/ClusterName"), One("NodegroupName", "/Parameters/NodegroupName")],
    status: "/Nodegroup/Status",
    ..JOB
};

/// Begun once, however often it is asked for: the member tells the service which request it is, unless the user's does.
fn once_by(name: &str, mut parameters: Map<String, Value>, task: &Task) -> Map<String, Value> {
    let token = || Value::from(task.scheduled.idempotency_token.as_str());
    parameters.entry(name).or_insert_with(token);
    parameters
}

/// CodeBuild's model does not mark its token as one.
fn build_once(parameters: Map<String, Value>, task: &Task) -> Result<Map<String, Value>, Failure> {
    Ok(once_by("IdempotencyToken", parameters, task))
}

/// `.sync` shows a child's input and output as text, `.sync:2` as JSON.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html>
fn execution_output(mut described: Value, pattern: Pattern) -> Value {
    if pattern == Pattern::Sync2 {
        for name in ["Input", "Output"] {
            if let Some(value) = described.get_mut(name)
                && let Some(json) = value.as_str().and_then(|text| serde_json::from_str(text).ok())
            {
                *value = json;
            }
        }
    }
    described
}

fn start_tasks(mut parameters: Map<String, Value>, task: &Task) -> Result<Map<String, Value>, Failure> {
    let several = parameters.get("Count").and_then(Value::as_u64).is_some_and(|count| count > 1);
    if several && task.scheduled.resource.ends_with(Pattern::Sync.suffix()) {
        return Err(Failure::runtime("`ecs:runTask.sync` waits for one task: use a Map for several"));
    }
    parameters.insert("StartedBy".to_owned(), json!("AWS Step Functions"));
    Ok(parameters)
}

/// A task that was not placed fails whoever waits for it.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-ecs.html>
fn tasks_started(answer: Map<String, Value>, pattern: Pattern) -> Result<Map<String, Value>, Failure> {
    let failures = answer.get("Failures").and_then(Value::as_array).filter(|failures| !failures.is_empty());
    match failures {
        Some(failures) if pattern != Pattern::RequestResponse => {
            Err(Failure { error: "AmazonECS.Unknown".to_owned(), cause: Value::Array(failures.clone()).to_string() })
        }
        _ => Ok(answer),
    }
}

/// The task ran until a container ended, and none ended with another code than 0.
fn containers_went_well(task: &Value) -> bool {
    let containers = task.get("Containers").and_then(Value::as_array);
    let exit_code = |container: &Value| container.get("ExitCode").and_then(Value::as_i64);
    task.get("StopCode").and_then(Value::as_str) == Some("EssentialContainerExited")
        && containers.into_iter().flatten().filter_map(exit_code).all(|code| code == 0)
}
