//! Every code of a problem: AWS's own, and ours in the same style. `docs/validation.md` tells what each means.

/// A code, and whether it is AWS's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// As a diagnostic has it.
    pub name: &'static str,
    /// Whether AWS has it, too.
    pub of_aws: bool,
}

const fn aws(name: &'static str) -> Code {
    Code { name, of_aws: true }
}

const fn ours(name: &'static str) -> Code {
    Code { name, of_aws: false }
}

/// All of them: errors first, then warnings.
///
/// Source of AWS's: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html>
/// and what it has answered.
pub const CODES: &[Code] = &[
    aws("INVALID_JSON_DESCRIPTION"),
    aws("SCHEMA_VALIDATION_FAILED"),
    aws("MISSING_TRANSITION_TARGET"),
    aws("MISSING_END_STATE"),
    aws("DUPLICATE_STATE_NAME"),
    aws("INVALID_STATE_NAME"),
    aws("DUPLICATE_LABEL_NAME"),
    aws("INVALID_LABEL_NAME"),
    aws("INVALID_JSONATA_EXPRESSION"),
    aws("UNSUPPORTED_JSONATA_EXPRESSION"),
    aws("INVALID_VARIABLE_NAME"),
    aws("RESERVED_VARIABLE_NAME"),
    aws("DUPLICATE_VARIABLE_NAME"),
    aws("TOO_DEEPLY_NESTED"),
    ours("INVALID_YAML"),
    ours("YAML_DOCUMENTS"),
    ours("UNKNOWN_TAG"),
    ours("TOO_MANY_ALIASES"),
    ours("DUPLICATE_KEY"),
    ours("DOCUMENT_TOO_LONG"),
    ours("DOCUMENT_TOO_DEEP"),
    ours("TOO_MANY_PROBLEMS"),
    aws("NO_DOLLAR"),
    aws("NO_PATH"),
    aws("PASS_RESULT_IS_STATIC"),
    ours("CHOICE_WITHOUT_DEFAULT"),
    ours("DELAY_BELOW_INTERVAL"),
    ours("ENDLESS_LOOP"),
    ours("ERROR_NEVER_MATCHES"),
    ours("EXPRESSION_ALWAYS_FAILS"),
    ours("EXPRESS_CHILD_WAITS"),
    ours("IGNORED_FIELD"),
    ours("NEVER_ENDS"),
    ours("PATH_INTO_NOTHING"),
    ours("TOKEN_NOT_PASSED"),
    ours("UNKNOWN_PARAMETER"),
    ours("VARIABLE_NEVER_ASSIGNED"),
    ours("VARIABLE_NEVER_READ"),
];

/// Whether AWS has a code.
pub fn is_of_aws(name: &str) -> bool {
    CODES.iter().any(|code| code.of_aws && code.name == name)
}
