//! Every limit of this crate, in one place. A query that reaches one fails and says which.

/// How long a JSONPath may be, in characters.
pub const PATH_LENGTH: usize = 10_000;
/// How deep parentheses and paths within paths may nest in a JSONPath.
pub const PATH_NESTING: usize = 32;
/// How deep a document may be for `..` to walk it.
pub const DOCUMENT_DEPTH: usize = 256;
/// How many nodes one JSONPath may find, and how many nodes of a filter it may look at.
pub const PATH_RESULTS: usize = 1_000_000;
/// How large a compiled regular expression may be, in bytes.
pub const REGEX_SIZE: usize = 1 << 20;

/// How deep calls of intrinsic functions may nest. (AWS: 10.)
pub const INTRINSIC_NESTING: usize = 10;
/// How long a text `States.Hash`, `States.Base64Encode` and `States.Base64Decode` take, in characters. (AWS: 10,000.)
pub const INTRINSIC_TEXT: usize = 10_000;
/// How many elements `States.ArrayRange` makes. (AWS: 1,000.)
pub const RANGE_LENGTH: usize = 1_000;

/// How long one JSONata expression may run, in milliseconds.
pub const JSONATA_MILLISECONDS: u64 = 1_000;
/// How deep the evaluation of a JSONata expression may nest by what is written: 100 terms of a sum, 99 parentheses around a 1.
/// (AWS: 100.)
pub const JSONATA_NESTING: usize = 100;
/// How long one JSONata expression may run when a definition is checked, in milliseconds.
pub const JSONATA_MILLISECONDS_OF_CHECK: u64 = 20;
/// How deep JSONata may recurse.
pub const JSONATA_DEPTH: usize = 1_000;
/// How many items a JSONata sequence may have. (AWS takes `[1..873782]` and refuses one more.)
pub const JSONATA_SEQUENCE: usize = 873_782;
/// How many items the steps of paths may give in one expression where each may be given for each of others, all together.
pub const JSONATA_PRODUCT: usize = 8_000_000;
/// As how many of these an item counts to which a path binds variables (`@$a`, `#$i`): it takes more room.
pub const JSONATA_TUPLE: usize = 16;
/// How long a text `$pad` makes, in characters. One call of a function can't be interrupted, so it is refused beforehand.
pub const JSONATA_PAD: usize = 1_000_000;
/// How long a text may be that `$replace`, `$join` or `$string` could make, in bytes.
pub const JSONATA_TEXT: usize = 64 << 20;
/// How many bytes `&` may make in one expression, all its texts together.
pub const JSONATA_CONCATENATED: usize = 128 << 20;
/// From which length on, in bytes, a text is searched for a regular expression under the clock before it is in earnest.
pub const JSONATA_SEARCHED: usize = 16 << 10;
/// Up to how many items `$distinct` compares each with each.
pub const JSONATA_COMPARED: usize = 1_000;
/// How large a compiled regular expression of JSONata may be, in bytes.
pub const JSONATA_REGEX_SIZE: usize = 2 << 20;
/// How many parts a regular expression of JSONata may have once what is counted in it is written out.
pub const JSONATA_REGEX_PARTS: usize = 1_000;
/// How long a JSONata expression may be, in bytes.
pub const JSONATA_LENGTH: usize = 100_000;

/// How deep a payload template, and a value that an expression makes, may nest.
pub const VALUE_DEPTH: usize = 256;
/// How large a value that JSONata makes may be as JSON, in bytes. (AWS passes on 256 KiB.)
pub const VALUE_SIZE: usize = 2 << 20;
