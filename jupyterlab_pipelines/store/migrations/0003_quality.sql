CREATE TABLE statistics (
    digest TEXT PRIMARY KEY,           -- of the artifact
    version INTEGER NOT NULL,          -- of the document's form
    content TEXT                       -- JSON, as quality.statistics writes it; null: it cannot be measured
);

CREATE TABLE failed_checks (           -- what the checks of a schema came to, row by row
    digest TEXT NOT NULL,
    expression TEXT NOT NULL,
    content TEXT,                      -- JSON object: the anomaly; null: it holds
    PRIMARY KEY (digest, expression)
) WITHOUT ROWID;

CREATE TABLE anomalies (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step TEXT NOT NULL,
    output TEXT NOT NULL,              -- of a validator also the tables that it reads
    digest TEXT NOT NULL,
    reference TEXT,                    -- digest of the table that it was compared with
    severity TEXT,                     -- of the gravest; null: there are none
    accepted INTEGER NOT NULL DEFAULT 0, -- a person has pinned what the table is like
    content TEXT NOT NULL,             -- JSON array
    PRIMARY KEY (run_id, step, output)
) WITHOUT ROWID;
