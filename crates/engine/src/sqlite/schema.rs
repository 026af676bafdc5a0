//! The tables, and the way forwards from every older version of them.
//!
//! `PRAGMA user_version` says how many of [`MIGRATIONS`] a file has been through. They are only ever added to. Rows that hold JSON
//! carry a `format`, so that a later program knows what it reads.

use rusqlite::Connection;

use crate::ports::StoreError;

/// The format of the JSON in `journal`, `findings`, `events` and `exceptions`, as this program writes it.
pub(super) const FORMAT: i64 = 1;

/// Each brings the file from the version that is its index to the next.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE definitions (hash BLOB PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;

    CREATE TABLE state_machines (
        arn TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        definition BLOB NOT NULL REFERENCES definitions, role_arn TEXT NOT NULL, created_at INTEGER NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE executions (
        id INTEGER PRIMARY KEY, arn TEXT NOT NULL UNIQUE, name TEXT NOT NULL, state_machine_arn TEXT NOT NULL,
        definition BLOB NOT NULL, role_arn TEXT NOT NULL, input TEXT NOT NULL, finding TEXT,
        status TEXT NOT NULL, ended TEXT, started_at INTEGER NOT NULL, stopped_at INTEGER,
        waiting INTEGER NOT NULL, next_timer_at INTEGER
    );
    CREATE INDEX executions_of_machine ON executions (state_machine_arn, id);
    CREATE INDEX executions_with_work ON executions (id) WHERE status = 'RUNNING' AND waiting = 0;
    CREATE INDEX executions_due ON executions (next_timer_at, id) WHERE status = 'RUNNING' AND waiting = 1 AND next_timer_at NOT NULL;

    CREATE TABLE journal (
        execution INTEGER NOT NULL, seq INTEGER NOT NULL, format INTEGER NOT NULL, last_event INTEGER NOT NULL, records NOT NULL,
        PRIMARY KEY (execution, seq)
    ) WITHOUT ROWID;

    CREATE TABLE task_tokens (hash BLOB PRIMARY KEY, execution INTEGER NOT NULL, event_id INTEGER NOT NULL) WITHOUT ROWID;

    CREATE TABLE alerts (execution INTEGER PRIMARY KEY, finding TEXT NOT NULL);

    CREATE TABLE events (identity TEXT PRIMARY KEY, format INTEGER NOT NULL, received_at INTEGER NOT NULL, body TEXT NOT NULL);

    CREATE TABLE unreadable_events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, origin TEXT NOT NULL, body TEXT NOT NULL, reason TEXT NOT NULL,
        received_at INTEGER NOT NULL
    );

    CREATE TABLE findings (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, guardrail TEXT NOT NULL, status TEXT NOT NULL,
        stage TEXT NOT NULL, version INTEGER NOT NULL, format INTEGER NOT NULL, body TEXT NOT NULL
    );
    CREATE INDEX findings_of_guardrail ON findings (guardrail, number);
    CREATE INDEX findings_of_status ON findings (status, number);

    CREATE TABLE finding_calls (
        finding TEXT NOT NULL, caller TEXT NOT NULL, call TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (finding, caller, call)
    ) WITHOUT ROWID;

    CREATE TABLE fixes (
        guardrail TEXT NOT NULL, account TEXT NOT NULL, minute INTEGER NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY (guardrail, account, minute)
    ) WITHOUT ROWID;

    CREATE TABLE exceptions (
        id INTEGER PRIMARY KEY, guardrail TEXT, resource TEXT, account TEXT, until INTEGER NOT NULL, format INTEGER NOT NULL,
        body TEXT NOT NULL
    );
", "
    ALTER TABLE state_machines ADD COLUMN type TEXT NOT NULL DEFAULT 'STANDARD';
    ALTER TABLE state_machines ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE state_machines ADD COLUMN revision TEXT;
    ALTER TABLE state_machines ADD COLUMN updated_at INTEGER;
    ALTER TABLE state_machines ADD COLUMN last_version INTEGER NOT NULL DEFAULT 0;

    CREATE TABLE state_machine_versions (
        machine TEXT NOT NULL, version INTEGER NOT NULL, definition BLOB NOT NULL REFERENCES definitions, role_arn TEXT NOT NULL,
        type TEXT NOT NULL, settings TEXT NOT NULL, revision TEXT, updated_at INTEGER NOT NULL, description TEXT,
        created_at INTEGER NOT NULL, PRIMARY KEY (machine, version)
    ) WITHOUT ROWID;

    CREATE TABLE state_machine_aliases (
        arn TEXT PRIMARY KEY, machine TEXT NOT NULL, name TEXT NOT NULL, description TEXT, routing TEXT NOT NULL,
        created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX aliases_of_machine ON state_machine_aliases (machine, arn);

    CREATE TABLE tags (arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key)) WITHOUT ROWID;

    CREATE TABLE machine_revisions (hash BLOB PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;

    ALTER TABLE executions ADD COLUMN revision BLOB;
    ALTER TABLE executions ADD COLUMN version_arn TEXT;
    ALTER TABLE executions ADD COLUMN alias_arn TEXT;
    ALTER TABLE executions ADD COLUMN redrive_count INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE executions ADD COLUMN redriven_at INTEGER;
    ALTER TABLE executions ADD COLUMN redrive_token TEXT;
    CREATE INDEX executions_of_version ON executions (version_arn, id) WHERE version_arn NOT NULL;
    CREATE INDEX executions_of_alias ON executions (alias_arn, id) WHERE alias_arn NOT NULL;

    CREATE TABLE express_executions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, arn TEXT NOT NULL, name TEXT NOT NULL, state_machine_arn TEXT NOT NULL,
        version_arn TEXT, alias_arn TEXT, definition BLOB NOT NULL, role_arn TEXT NOT NULL, input TEXT NOT NULL,
        started_at INTEGER NOT NULL
    );

    CREATE TABLE activities (
        arn TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, created_at INTEGER NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE activity_tasks (
        id INTEGER PRIMARY KEY AUTOINCREMENT, activity TEXT NOT NULL, execution INTEGER NOT NULL, event_id INTEGER NOT NULL,
        UNIQUE (execution, event_id)
    );
    CREATE INDEX activity_tasks_of_activity ON activity_tasks (activity, id);
", "
    ALTER TABLE executions ADD COLUMN map_run INTEGER;
    ALTER TABLE executions ADD COLUMN map_run_child INTEGER;
    CREATE INDEX executions_of_map_run ON executions (map_run, map_run_child) WHERE map_run NOT NULL;

    CREATE TABLE map_runs (
        id INTEGER PRIMARY KEY, arn TEXT NOT NULL UNIQUE, execution INTEGER NOT NULL, definition BLOB NOT NULL,
        format INTEGER NOT NULL, specification TEXT NOT NULL, phase TEXT NOT NULL, status TEXT NOT NULL, is_stopped INTEGER NOT NULL,
        limits TEXT NOT NULL, failure TEXT, result TEXT, executions_written INTEGER NOT NULL, items_written INTEGER NOT NULL,
        is_told INTEGER NOT NULL, stopped_at INTEGER
    );
    CREATE INDEX map_runs_of_execution ON map_runs (execution, id);
    CREATE INDEX map_runs_with_work ON map_runs (id) WHERE is_told = 0;

    CREATE TABLE map_run_children (
        map_run INTEGER NOT NULL, number INTEGER NOT NULL, input TEXT, items INTEGER NOT NULL, PRIMARY KEY (map_run, number)
    ) WITHOUT ROWID;
    CREATE INDEX map_run_children_pending ON map_run_children (map_run, number) WHERE input NOT NULL;

    CREATE TABLE map_run_counts (
        map_run INTEGER NOT NULL, status TEXT NOT NULL, executions INTEGER NOT NULL, items INTEGER NOT NULL,
        PRIMARY KEY (map_run, status)
    ) WITHOUT ROWID;
", "
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, execution INTEGER NOT NULL, event_id INTEGER NOT NULL, execution_arn TEXT NOT NULL,
        state_machine_arn TEXT NOT NULL, format INTEGER NOT NULL, scheduled TEXT NOT NULL, begun_at INTEGER NOT NULL, due_at INTEGER,
        is_unwanted INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, awaits TEXT, UNIQUE (execution, event_id)
    );
    CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at NOT NULL;
    CREATE INDEX jobs_awaiting ON jobs (awaits) WHERE awaits NOT NULL;
", "
    DELETE FROM map_run_children WHERE map_run IN (SELECT id FROM map_runs WHERE phase = 'READING');
    DELETE FROM map_run_counts WHERE map_run IN (SELECT id FROM map_runs WHERE phase = 'READING');
    ALTER TABLE map_runs ADD COLUMN items TEXT;
    UPDATE map_runs SET items = json_array(json_extract(specification, '$.source'), json_extract(specification, '$.surroundings'))
        WHERE NOT EXISTS (SELECT 1 FROM map_run_children WHERE map_run = map_runs.id);
    ALTER TABLE map_runs ADD COLUMN cursor TEXT;
    ALTER TABLE map_runs ADD COLUMN is_redriven INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE map_runs ADD COLUMN redrive_count INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE map_runs ADD COLUMN redriven_at INTEGER;

    ALTER TABLE map_run_children ADD COLUMN status TEXT;
    CREATE INDEX map_run_children_to_redrive ON map_run_children (map_run, number) WHERE status = 'PENDING_REDRIVE';

    CREATE TABLE map_run_express_children (
        id INTEGER PRIMARY KEY, map_run INTEGER NOT NULL, number INTEGER NOT NULL, attempt INTEGER NOT NULL, arn TEXT NOT NULL,
        input TEXT NOT NULL, status TEXT NOT NULL, ended TEXT, started_at INTEGER NOT NULL, stopped_at INTEGER,
        UNIQUE (map_run, number)
    );
    CREATE INDEX map_run_express_children_standing ON map_run_express_children (map_run, status, number);
    CREATE INDEX map_run_express_children_running ON map_run_express_children (id) WHERE status = 'RUNNING';
", "
    CREATE INDEX executions_closed ON executions (stopped_at) WHERE map_run IS NULL AND stopped_at NOT NULL;
    CREATE INDEX executions_of_finding ON executions (finding) WHERE finding NOT NULL;
    CREATE INDEX task_tokens_of_execution ON task_tokens (execution);
    ALTER TABLE findings ADD COLUMN updated_at INTEGER;
    UPDATE findings SET updated_at = unixepoch(json_extract(body, '$.updated_at')) * 1000000;
    CREATE INDEX findings_resolved ON findings (updated_at) WHERE status = 'RESOLVED';
", "
    ALTER TABLE state_machines ADD COLUMN is_deleting INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE activities ADD COLUMN encryption TEXT;
    ALTER TABLE executions ADD COLUMN trace_header TEXT;
", "
    ALTER TABLE journal RENAME TO journal_by_key;
    CREATE TABLE journal (
        execution INTEGER NOT NULL, seq INTEGER NOT NULL, format INTEGER NOT NULL, last_event INTEGER NOT NULL, records NOT NULL
    );
    INSERT INTO journal (execution, seq, format, last_event, records)
        SELECT execution, seq, format, last_event, records FROM journal_by_key ORDER BY execution, seq;
    DROP TABLE journal_by_key;
    CREATE UNIQUE INDEX journal_of_execution ON journal (execution, seq);
", "
    DELETE FROM map_run_express_children WHERE map_run NOT IN (SELECT id FROM map_runs);
    CREATE TABLE greatest_ids (name TEXT PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO greatest_ids VALUES ('executions', (SELECT coalesce(max(execution), 0) FROM jobs)), ('map_runs', 0),
        ('map_run_express_children', 0);
    CREATE TRIGGER executions_id_kept AFTER DELETE ON executions WHEN OLD.id > coalesce((SELECT max(id) FROM executions), 0)
        BEGIN UPDATE greatest_ids SET id = max(id, OLD.id) WHERE name = 'executions'; END;
    CREATE TRIGGER map_runs_id_kept AFTER DELETE ON map_runs WHEN OLD.id > coalesce((SELECT max(id) FROM map_runs), 0)
        BEGIN UPDATE greatest_ids SET id = max(id, OLD.id) WHERE name = 'map_runs'; END;
    CREATE TRIGGER map_run_express_children_id_kept AFTER DELETE ON map_run_express_children
        WHEN OLD.id > coalesce((SELECT max(id) FROM map_run_express_children), 0)
        BEGIN UPDATE greatest_ids SET id = max(id, OLD.id) WHERE name = 'map_run_express_children'; END;
", "
    CREATE TABLE playbooks (id TEXT PRIMARY KEY, concurrency INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE playbook_executions (execution INTEGER PRIMARY KEY, playbook TEXT NOT NULL, is_admitted INTEGER NOT NULL);
    CREATE INDEX playbook_executions_of_playbook ON playbook_executions (playbook, is_admitted, execution);
", "
    ALTER TABLE findings ADD COLUMN is_of_rule INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX findings_of_rules ON findings (updated_at, number) WHERE is_of_rule = 1;
", "
    ALTER TABLE findings ADD COLUMN exported_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE findings ADD COLUMN export_attempts INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE findings ADD COLUMN export_due_at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE findings ADD COLUMN export_error TEXT;
    CREATE INDEX findings_to_export ON findings (export_due_at, number) WHERE version > exported_version;

    CREATE TABLE evaluations (
        id INTEGER PRIMARY KEY AUTOINCREMENT, finding TEXT NOT NULL, generation INTEGER NOT NULL, invocation TEXT NOT NULL,
        received_at INTEGER NOT NULL, due_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX evaluations_due ON evaluations (due_at, id);
", "
    CREATE TABLE finding_counts (
        guardrail TEXT NOT NULL, stage TEXT NOT NULL, findings INTEGER NOT NULL, PRIMARY KEY (guardrail, stage)
    ) WITHOUT ROWID;
    INSERT INTO finding_counts SELECT guardrail, stage, count(*) FROM findings GROUP BY guardrail, stage;
    CREATE TRIGGER findings_counted AFTER INSERT ON findings BEGIN
        INSERT INTO finding_counts VALUES (NEW.guardrail, NEW.stage, 1)
            ON CONFLICT (guardrail, stage) DO UPDATE SET findings = findings + 1;
    END;
    CREATE TRIGGER findings_counted_again AFTER UPDATE OF stage ON findings WHEN OLD.stage <> NEW.stage BEGIN
        UPDATE finding_counts SET findings = findings - 1 WHERE guardrail = OLD.guardrail AND stage = OLD.stage;
        INSERT INTO finding_counts VALUES (NEW.guardrail, NEW.stage, 1)
            ON CONFLICT (guardrail, stage) DO UPDATE SET findings = findings + 1;
    END;
    CREATE TRIGGER findings_no_longer_counted AFTER DELETE ON findings BEGIN
        UPDATE finding_counts SET findings = findings - 1 WHERE guardrail = OLD.guardrail AND stage = OLD.stage;
    END;
"];

/// SQL for the id of a table's next row, where an id is never used again though its row goes: others may still know it. `greatest_ids`
/// has the greatest that is gone.
macro_rules! next_id {
    ($table:literal) => {
        concat!(
            "(SELECT max(coalesce((SELECT max(id) FROM ",
            $table,
            "), 0), (SELECT id FROM greatest_ids WHERE name = '",
            $table,
            "')) + 1)"
        )
    };
}
pub(super) use next_id;

/// Brings a file to the newest version, each migration in a transaction of its own: a crash leaves it at some version, whole.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::Damaged(format!(
            "a newer rectify wrote this store: its schema has version {found}, and this program knows versions up to {known}. Start the newer one again, or restore a backup from before the upgrade into a folder of its own"
        )));
    }
    if found > 0 && found < known {
        tracing::info!(from = found, to = known, "the store's schema goes forwards; an older rectify will refuse it");
    }
    for (version, migration) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// A row's `format` is the one that this program reads.
pub(super) fn check_format(what: &str, format: i64) -> Result<(), StoreError> {
    if format == FORMAT {
        return Ok(());
    }
    Err(StoreError::Damaged(format!(
        "{what} has format {format}, and this program reads {FORMAT}: use the newer program that wrote it"
    )))
}

#[cfg(test)]
mod tests;
