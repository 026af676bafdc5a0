//! The guardrails: those carried inside the binary, and those of a folder, which win over carried ones with the same id.

use std::{
    fs,
    path::{Path, PathBuf},
};

use asl::{Diagnostic, Document, document::Format};
use detection::Guardrail;
use rust_embed::RustEmbed;

use crate::diagnostics;

/// `guardrails/` of the project.
#[derive(RustEmbed)]
#[folder = "../../guardrails"]
#[include = "*.yaml"]
struct Carried;

/// A file that is no guardrail.
pub struct Broken {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// All guardrails, by id. A broken file is reported and left out; the others go on.
pub fn guardrails(
    folder: Option<&Path>,
    resources: &dyn asl::parse::Resources,
) -> Result<(Vec<Guardrail>, Vec<Broken>), String> {
    let mut texts: Vec<(String, String)> = Carried::iter()
        .filter_map(|name| {
            Carried::get(&name).map(|file| (name.to_string(), String::from_utf8_lossy(&file.data).into_owned()))
        })
        .collect();
    if let Some(folder) = folder {
        for path in yaml_files(folder)? {
            let text =
                fs::read_to_string(&path).map_err(|error| format!("{} can't be read: {error}", path.display()))?;
            texts.push((path.display().to_string(), text));
        }
    }
    let mut found: Vec<Guardrail> = Vec::new();
    let mut broken = Vec::new();
    for (name, text) in texts {
        match parse(&text, resources) {
            Err(diagnostics) => broken.push(Broken { name, text, diagnostics }),
            Ok(guardrail) => {
                found.retain(|other| other.id != guardrail.id);
                found.push(guardrail);
            }
        }
    }
    found.sort_by(|one, other| one.id.cmp(&other.id));
    Ok((found, broken))
}

/// A guardrail's text.
pub fn parse(text: &str, resources: &dyn asl::parse::Resources) -> Result<Guardrail, Vec<Diagnostic>> {
    let (document, problems) = Document::read(text, Format::of_text(text))?;
    diagnostics::all(problems, Guardrail::parse(&document, resources)).map(|(guardrail, _)| guardrail)
}

/// The YAML files below a folder, in the order of their names.
fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{} can't be read: {error}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|error| format!("{} can't be read: {error}", folder.display()))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
