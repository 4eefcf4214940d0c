CREATE TABLE artifacts (
    name TEXT PRIMARY KEY,             -- of the stored file
    size_bytes INTEGER NOT NULL,
    checksum TEXT,                     -- of its bytes; computed after the step, null until then
    gone TEXT                          -- why it is not there any more: `missing`, `damaged` or `reclaimed`
) WITHOUT ROWID;

CREATE TABLE file_digests (
    path TEXT PRIMARY KEY,             -- absolute
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    digest TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX step_runs_by_execution ON step_runs (execution_id);
