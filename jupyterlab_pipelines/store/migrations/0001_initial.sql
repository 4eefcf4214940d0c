CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    notebook TEXT NOT NULL,            -- path below the project root, with slashes
    status TEXT NOT NULL,
    parameters TEXT NOT NULL,          -- JSON object: the values that this run replaced
    options TEXT NOT NULL,             -- JSON object: steps, force, jobs, kernel
    created_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT,
    duration_seconds REAL,
    snapshot TEXT NOT NULL,            -- stored object: the notebook as it was run
    output TEXT,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    error TEXT,                        -- JSON object
    tags TEXT NOT NULL DEFAULT '[]',
    comment TEXT NOT NULL DEFAULT ''
);
CREATE INDEX runs_by_notebook ON runs (notebook, created_at);
CREATE INDEX runs_by_status ON runs (status);

CREATE TABLE executions (
    id INTEGER PRIMARY KEY,
    cache_key TEXT NOT NULL,
    notebook TEXT NOT NULL,
    step TEXT NOT NULL,
    run_id TEXT NOT NULL,
    finished_at TEXT NOT NULL,
    duration_seconds REAL NOT NULL,
    parts TEXT NOT NULL,               -- JSON object: what the cache key was made of
    trace TEXT NOT NULL,               -- JSON object: what it was seen to read
    executed TEXT NOT NULL,            -- stored object: the executed step notebook
    log TEXT,                          -- stored object
    metrics TEXT NOT NULL
);
CREATE INDEX executions_by_key ON executions (cache_key);
CREATE INDEX executions_by_step ON executions (notebook, step);

CREATE TABLE outputs (
    execution_id INTEGER NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    type TEXT NOT NULL,
    materializer TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    stored TEXT NOT NULL,
    member TEXT,
    summary TEXT NOT NULL,
    definitions TEXT NOT NULL,         -- JSON array
    kind TEXT NOT NULL,
    PRIMARY KEY (execution_id, name)
) WITHOUT ROWID;
CREATE INDEX outputs_by_digest ON outputs (digest);

CREATE TABLE step_runs (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step TEXT NOT NULL,
    position INTEGER NOT NULL,
    cell_indexes TEXT NOT NULL,        -- JSON array
    status TEXT NOT NULL,
    decision TEXT NOT NULL,
    reasons TEXT NOT NULL,             -- JSON array
    cache_key TEXT,
    inputs TEXT NOT NULL,              -- JSON object: digest by name
    execution_id INTEGER REFERENCES executions (id),
    started_at TEXT,
    finished_at TEXT,
    duration_seconds REAL,
    cell INTEGER,                      -- cells executed so far
    cells INTEGER,                     -- cells to execute
    error TEXT,                        -- JSON object
    executed TEXT,                     -- stored object: the executed step notebook, failed ones too
    log TEXT,                          -- stored object
    PRIMARY KEY (run_id, step)
) WITHOUT ROWID;

CREATE TABLE previews (
    digest TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    summary TEXT NOT NULL,
    content TEXT                       -- JSON, written for showing
);

CREATE TABLE effects (
    code TEXT PRIMARY KEY,             -- fingerprint of the step's own code
    effects TEXT NOT NULL,             -- JSON object: what the step was last seen to do
    seen_at TEXT NOT NULL
);
