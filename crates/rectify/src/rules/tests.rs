//! A folder of rules whose files come, change, break and go.

use std::fs;

use super::*;

const GUARDRAIL: &str = "s3-bucket-public-access";

struct Case {
    folder: tempfile::TempDir,
    rules: RulesFolder,
}

impl Case {
    fn new(configuration: &str, files: &[(&str, &str)]) -> Case {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            write(folder.path(), name, text);
        }
        let configuration =
            Configuration::parse(&format!("rules_folder: {}\n{configuration}", folder.path().display())).unwrap();
        let names = Names { guardrails: [GUARDRAIL.to_owned()].into(), playbooks: BTreeSet::new() };
        let rules = RulesFolder::of(&configuration, names).unwrap().unwrap();
        Case { folder, rules }
    }

    fn write(&self, name: &str, text: &str) {
        write(self.folder.path(), name, text);
    }

    /// Looks again, and reads what changed; whether anything had.
    fn look(&mut self) -> bool {
        let stamps = self.rules.look().unwrap();
        let differs = self.rules.differs(&stamps);
        self.rules.read(stamps);
        differs
    }

    /// The rules in force: id, title, and whether the file is broken now.
    fn check(&self, expected: &[(&str, &str, bool)]) -> RulesInForce {
        let in_force = self.rules.in_force();
        let found: Vec<(&str, &str, bool)> = in_force
            .rules
            .iter()
            .map(|rule| (rule.rule.rule.id.as_str(), rule.rule.rule.title.as_str(), rule.problem.is_some()))
            .collect();
        assert_eq!(found, expected, "{:?}", in_force.refused);
        in_force
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn rule(id: &str, title: &str) -> String {
    format!("id: {id}\ntitle: {title}\nevent: {{source: [aws.s3]}}\n")
}

#[test]
fn files_come_change_break_and_go() {
    let mut case = Case::new("", &[("a.yaml", &rule("a", "A")), ("below/b.yaml", &rule("b", "B"))]);
    case.check(&[("a", "A", false), ("b", "B", false)]);
    assert!(!case.look());
    case.write("c.yaml", &rule("c", "C"));
    case.write("a.yaml", &rule("a", "Another title"));
    assert!(case.look());
    case.check(&[("a", "Another title", false), ("b", "B", false), ("c", "C", false)]);
    for broken in ["id: a\ntitle: [\n", "", "id: a\ntitle: Another"] {
        case.write("a.yaml", broken);
        assert!(case.look());
        let in_force = case.check(&[("a", "Another title", true), ("b", "B", false), ("c", "C", false)]);
        assert!(in_force.rules[0].problem.as_ref().unwrap().ends_with("its last good version holds"));
        assert!(in_force.refused.is_empty());
    }
    case.write("a.yaml", &rule("a", "Mended"));
    fs::remove_dir_all(case.folder.path().join("below")).unwrap();
    case.look();
    case.check(&[("a", "Mended", false), ("c", "C", false)]);
    fs::remove_file(case.folder.path().join("a.yaml")).unwrap();
    case.look();
    case.check(&[("c", "C", false)]);
}

#[test]
fn a_file_put_in_another_s_place_is_seen_though_it_is_as_long_and_as_old() {
    let mut case = Case::new("", &[("a.yaml", &rule("a", "A"))]);
    let path = case.folder.path().join("a.yaml");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    case.write(".new", &rule("a", "Z"));
    let new = case.folder.path().join(".new");
    fs::File::options().write(true).open(&new).unwrap().set_modified(modified).unwrap();
    fs::rename(new, path).unwrap();
    assert!(case.look());
    case.check(&[("a", "Z", false)]);
}

#[test]
fn a_folder_that_is_gone_leaves_the_rules_as_they_are() {
    let case = Case::new("", &[("a.yaml", &rule("a", "A"))]);
    fs::remove_dir_all(case.folder.path()).unwrap();
    assert!(case.rules.look().unwrap_err().contains("can't be read"));
    case.check(&[("a", "A", false)]);
}

#[test]
fn what_can_t_be_in_force_is_told_with_the_reason() {
    let long = format!("# {}\n{}", "x".repeat(1 << 20), rule("long", "Long"));
    let windows = "title: W\nlogsource: {product: windows}\ndetection: {s: {a: b}, condition: s}\n";
    let guardrail = "id: g\ntitle: G\nrisk: safe\nresource: {type: T}\nevent: {source: [a]}\n";
    let mut case = Case::new(
        "",
        &[
            ("a.yaml", &rule("a", "A")),
            ("again.yaml", &rule("a", "B")),
            ("bad.yaml", &rule("bad", "Bad").replace("event", "playbook: none\nevent")),
            ("empty.yml", "\n"),
            ("guardrail.yaml", guardrail),
            ("long.yaml", &long),
            ("named.yaml", &rule(GUARDRAIL, "Named as a guardrail")),
            ("windows.yml", windows),
            (".hidden.yaml", "broken: ["),
            ("README.md", "no rule"),
        ],
    );
    let in_force = case.check(&[("a", "A", false)]);
    let reasons: Vec<&str> = in_force.refused.iter().map(|refused| refused.reason.as_str()).collect();
    let expected = [
        "the id `a` is that of",
        "there is no playbook `none`",
        "the file is empty",
        "its place is in `guardrails_folder`",
        "more than the 1048576 that are read",
        "a guardrail is called",
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for (reason, expected) in reasons.iter().zip(expected) {
        assert!(reason.contains(expected), "{reason}: {expected}");
    }
    assert!(in_force.passed_over[0].reason.ends_with("product windows"));
    // The one that was second comes into force once the first is gone.
    fs::remove_file(case.folder.path().join("a.yaml")).unwrap();
    case.look();
    case.check(&[("a", "B", false)]);
}

#[test]
fn there_is_a_most_of_rules() {
    let mut case =
        Case::new("", &[("a.yaml", &rule("a", "A")), ("b.yaml", &rule("b", "B")), ("c.yaml", &rule("c", "C"))]);
    case.rules.max = 2;
    let in_force = case.check(&[("a", "A", false), ("b", "B", false)]);
    assert!(in_force.refused[0].reason.contains("there are 2 rules in force, the most that are taken"));
}

#[test]
fn the_configuration_leaves_rules_out_and_knows_which_are_there() {
    let case = Case::new(
        "rules: {a: {enabled: false}, bx: {severity: LOW}}\n",
        &[("a.yaml", &rule("a", "A")), ("b.yaml", &rule("bxy", "B"))],
    );
    assert!(case.check(&[("a", "A", false), ("bxy", "B", false)]).rules[0].is_disabled);
    assert_eq!(case.rules.unknown_rules(), ["there is no rule `bx`: did you mean `bxy`?"]);
    let configuration = Configuration::parse("rules: {a: {severity: LOW}}\n").unwrap();
    assert!(RulesFolder::of(&configuration, Names::default()).unwrap_err().contains("no `rules_folder`"));
}
