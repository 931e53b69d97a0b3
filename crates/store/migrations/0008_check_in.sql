-- Up to which event it was seen which contacts are done with and are to be checked in, and who looks until when.
CREATE TABLE check_in_cursor (
    tenant_id UUID PRIMARY KEY,
    seq BIGINT NOT NULL,
    owner UUID NOT NULL,
    owned_until BIGINT NOT NULL
);
