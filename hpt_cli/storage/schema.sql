-- The journal of one tuning job: append-only, one writer. PRAGMA user_version is the schema version.

-- Everything that happened, in order. `body` is JSON: the event's own fields.
CREATE TABLE event (
    seq  INTEGER PRIMARY KEY,
    at   REAL NOT NULL,                -- seconds since the epoch, UTC
    type TEXT NOT NULL,                -- the event's name in hpt_cli/tuning/events.py
    job  INTEGER,                      -- the training job's number; NULL for the tuning job
    body TEXT NOT NULL
);

-- What the logs said. `seq` counts with event.seq: it tells what was known when.
CREATE TABLE observation (
    job     INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    metric  TEXT NOT NULL,
    offset  INTEGER NOT NULL,          -- bytes into the attempt's output.log
    step    REAL NOT NULL,
    value   REAL,                      -- NULL is NaN
    seq     INTEGER NOT NULL,
    at      REAL NOT NULL,
    PRIMARY KEY (job, attempt, metric, offset)
) WITHOUT ROWID;

-- What the stop rule said of each job, and the numbers it saw.
CREATE TABLE judgement (
    job      INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    step     REAL NOT NULL,
    stop     INTEGER NOT NULL,         -- 1 or 0
    reason   TEXT NOT NULL,
    evidence TEXT NOT NULL,            -- JSON; losses, so lower is better
    seq      INTEGER NOT NULL,
    at       REAL NOT NULL,
    PRIMARY KEY (job, attempt, step)
) WITHOUT ROWID;

-- For people with a sqlite3 prompt.
CREATE VIEW training_job AS
SELECT s.job AS number,
       json_extract(s.body, '$.hyperparameters') AS hyperparameters,
       (SELECT count(*) FROM event WHERE type = 'JobLaunched' AND job = s.job) AS attempts,
       (SELECT json_extract(body, '$.exit_code') FROM event
         WHERE type = 'JobExited' AND job = s.job ORDER BY seq DESC LIMIT 1) AS exit_code,
       (SELECT json_extract(body, '$.reason') FROM event
         WHERE type = 'JobStopRequested' AND job = s.job ORDER BY seq DESC LIMIT 1) AS stop_reason
  FROM event AS s
 WHERE s.type = 'JobSuggested';

CREATE VIEW curve AS
SELECT job AS number, attempt, metric, step, value FROM observation ORDER BY job, attempt, offset;
