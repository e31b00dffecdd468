"""PostgreSQL gets a list of the words that photos have, which its index can't tell."""

from alembic import op

revision = "photo_words"
down_revision = "reusable_outputs"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # `number` is that of one photo which has the token: only when that one goes, another is sought.
    'CREATE TABLE photo_word (token TEXT COLLATE "C" NOT NULL, number BIGINT NOT NULL, '
    "CONSTRAINT pk_photo_word PRIMARY KEY (token))",
    "CREATE INDEX ix_photo_word_number ON photo_word (number)",
    # Words and labels themselves are not looked for by their beginning, but by a key before them.
    "INSERT INTO photo_word (token, number) SELECT token, max(number) FROM photo_text, "
    "unnest(tsvector_to_array(tokens)) AS token WHERE left(token, 1) IN ('=', '~') GROUP BY token",
    # Who adds words excludes who removes some: else a word that is in the one's photo, which the
    # other can't see yet, would be lost. In order, two who add new words can't wait for each other.
    """CREATE FUNCTION photo_words_add() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(1987011172);
        INSERT INTO photo_word (token, number)
            SELECT token, NEW.number FROM unnest(tsvector_to_array(NEW.tokens)) AS token
            WHERE left(token, 1) IN ('=', '~') ORDER BY token
            ON CONFLICT (token) DO NOTHING;
        RETURN NULL;
    END $$""",
    # The newest photos have the common words. By the plain number, PostgreSQL would read all photos
    # from the newest on to find a rare one.
    """CREATE FUNCTION photo_words_remove() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        word TEXT;
        sought TSQUERY;
        other BIGINT;
    BEGIN
        PERFORM pg_advisory_xact_lock(1987011172);
        FOR word IN SELECT token FROM photo_word WHERE number = OLD.number LOOP
            sought := CAST(quote_literal(word) AS TSQUERY);
            SELECT number INTO other FROM photo_text
                WHERE number > (SELECT max(number) - 500 FROM photo_text) AND tokens @@ sought
                ORDER BY number DESC LIMIT 1;
            IF other IS NULL THEN
                SELECT number INTO other FROM photo_text WHERE tokens @@ sought
                    ORDER BY number + 0 DESC LIMIT 1;
            END IF;
            IF other IS NULL THEN
                DELETE FROM photo_word WHERE token = word;
            ELSE
                UPDATE photo_word SET number = other WHERE token = word;
            END IF;
        END LOOP;
        RETURN NULL;
    END $$""",
    # At the end of a transaction, so that who holds the lock waits for nobody's rows.
    "CREATE CONSTRAINT TRIGGER photo_words_added AFTER INSERT ON photo_text "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION photo_words_add()",
    "CREATE CONSTRAINT TRIGGER photo_words_removed AFTER DELETE ON photo_text "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION photo_words_remove()",
)


def upgrade() -> None:
    """Make the table, fill it, and let triggers keep it."""
    if op.get_context().dialect.name == "postgresql":
        for statement in _STATEMENTS:
            op.execute(statement)
