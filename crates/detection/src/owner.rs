//! Who owns a resource: candidates from tags, from who made the call, from a directory.
