-- Fingerprint of all that the verdict on a table was made from: under the same one it is the same verdict.
ALTER TABLE anomalies ADD COLUMN basis TEXT;
CREATE INDEX anomalies_by_basis ON anomalies (basis);
