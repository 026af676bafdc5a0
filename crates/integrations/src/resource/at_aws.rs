//! The optimized integrations that AWS has: what it takes in a definition, whether or not it can be called here.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html>.

use asl::nearest::nearest;

/// The patterns of an action besides calling and going on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patterns {
    /// None.
    None,
    /// `.sync`.
    Sync,
    /// `.waitForTaskToken`.
    Token,
    /// Both.
    Both,
    /// Both and `.sync:2`.
    All,
}

use Patterns::{All, Both, None as Plain, Sync, Token};

/// A service and its actions with their patterns.
type Integration = (&'static str, &'static [(&'static str, Patterns)]);

const INTEGRATIONS: &[Integration] = &[
    ("apigateway", &[("invoke", Token)]),
    (
        "athena",
        &[
            ("startQueryExecution", Sync),
            ("stopQueryExecution", Plain),
            ("getQueryExecution", Plain),
            ("getQueryResults", Plain),
        ],
    ),
    ("batch", &[("submitJob", Sync)]),
    ("bedrock", &[("invokeModel", Both), ("createModelCustomizationJob", Both)]),
    (
        "codebuild",
        &[
            ("startBuild", Sync),
            ("stopBuild", Plain),
            ("batchDeleteBuilds", Plain),
            ("batchGetReports", Plain),
            ("startBuildBatch", Sync),
            ("stopBuildBatch", Plain),
            ("retryBuildBatch", Sync),
            ("deleteBuildBatch", Plain),
        ],
    ),
    ("databrew", &[("startJobRun", Sync)]),
    ("dynamodb", &[("getItem", Plain), ("putItem", Plain), ("deleteItem", Plain), ("updateItem", Plain)]),
    ("ecs", &[("runTask", Both)]),
    (
        "eks",
        &[
            ("call", Token),
            ("runJob", Both),
            ("createCluster", Sync),
            ("deleteCluster", Sync),
            ("createNodegroup", Sync),
            ("deleteNodegroup", Sync),
            ("createFargateProfile", Sync),
            ("deleteFargateProfile", Sync),
        ],
    ),
    (
        "elasticmapreduce",
        &[
            ("createCluster", Sync),
            ("terminateCluster", Sync),
            ("addStep", Sync),
            ("cancelStep", Plain),
            ("setClusterTerminationProtection", Plain),
            ("modifyInstanceFleetByName", Plain),
            ("modifyInstanceGroupByName", Plain),
        ],
    ),
    (
        "emr-containers",
        &[
            ("createVirtualCluster", Plain),
            ("deleteVirtualCluster", Sync),
            ("startJobRun", Sync),
            ("cancelJobRun", Sync),
        ],
    ),
    (
        "emr-serverless",
        &[
            ("createApplication", Sync),
            ("startApplication", Sync),
            ("stopApplication", Sync),
            ("deleteApplication", Sync),
            ("startJobRun", Sync),
            ("cancelJobRun", Sync),
        ],
    ),
    ("events", &[("putEvents", Token)]),
    ("glue", &[("startJobRun", Sync)]),
    ("http", &[("invoke", Plain)]),
    ("lambda", &[("invoke", Token)]),
    ("mediaconvert", &[("createJob", Sync)]),
    (
        "sagemaker",
        &[
            ("createEndpoint", Plain),
            ("createEndpointConfig", Plain),
            ("createHyperParameterTuningJob", Sync),
            ("createLabelingJob", Sync),
            ("createModel", Plain),
            ("createProcessingJob", Sync),
            ("createTrainingJob", Sync),
            ("createTransformJob", Sync),
            ("updateEndpoint", Plain),
        ],
    ),
    ("sns", &[("publish", Token)]),
    ("sqs", &[("sendMessage", Token)]),
    ("states", &[("startExecution", All)]),
];

/// Why AWS has no such call, if it has none: `call` is `action` or `action.pattern`.
pub(super) fn refusal(service: &str, call: &str) -> Option<String> {
    let Some((_, actions)) = INTEGRATIONS.iter().find(|(known, _)| *known == service) else {
        let names = INTEGRATIONS.iter().map(|(known, _)| *known);
        return Some(meant(&format!("there is no integration `{service}`"), nearest(service, names)));
    };
    let (action, pattern) = call.split_once('.').map_or((call, None), |(action, pattern)| (action, Some(pattern)));
    let Some((_, patterns)) = actions.iter().find(|(known, _)| *known == action) else {
        let names = actions.iter().map(|(known, _)| *known);
        let near = nearest(action, names).or_else(|| actions.first().map(|(known, _)| *known));
        return Some(meant(&format!("the integration of `{service}` has no action `{action}`"), near));
    };
    let has = match pattern {
        None => true,
        Some("sync") => matches!(patterns, Sync | Both | All),
        Some("sync:2") => *patterns == All,
        Some("waitForTaskToken") => matches!(patterns, Token | Both | All),
        Some(_) => false,
    };
    let pattern = pattern.filter(|_| !has)?;
    Some(format!("`{service}:{action}` has no pattern `.{pattern}`"))
}

fn meant(what: &str, near: Option<&str>) -> String {
    match near {
        Some(near) => format!("{what}, did you mean `{near}`?"),
        None => what.to_owned(),
    }
}
