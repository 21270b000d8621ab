-- Facts, append-only. One total order: `position` is drawn under the append lock, so it grows with the order of commits.
-- Gaps between positions are possible and mean nothing.
create table :schema.events (
  position    bigint generated always as identity primary key,
  stream      text collate "C" not null,
  revision    bigint not null check (revision >= 0),
  event_id    uuid not null,
  type        text collate "C" not null,
  -- json, not jsonb: the text is kept as it was given, its fields in their order, and \u0000 is legal.
  data        json not null,
  metadata    json not null,
  recorded_at timestamptz not null default clock_timestamp(),
  constraint events_stream_revision unique (stream, revision),
  constraint events_event_id unique (event_id)
);

-- One append to one stream, whole or not at all.
-- expected: the stream's last revision, -1 where it must not exist. Arrays: one element per fact, in order. Outcomes:
--   appended      last_revision and last_position of what was appended
--   already       the very same ids stand at these revisions: answered as the first time
--   conflict      last_revision is where the stream stands, -1 where it does not exist
--   duplicate-id  duplicate is an id that stands already, elsewhere
-- A conflict is returned and never raised: raising costs ten times as much and fills the server's log.
create function :schema.append_one(
  expected_stream text, expected bigint, ids uuid[], types text[], datas json[], metadatas json[]
) returns table (outcome text, last_revision bigint, last_position bigint, duplicate uuid)
language plpgsql
-- Go by an index whatever the statistics of a table that was empty a minute ago say; plan once per session.
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  actual bigint;
  standing uuid[];
begin
  -- Every statement below must see what the lock waited for.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'appending needs the isolation level read committed' using errcode = 'FI001';
  end if;
  -- Taken before a position is drawn and held until the commit is visible: no reader ever sees a later position first.
  perform pg_advisory_xact_lock(73051503, ':schema.events'::regclass::oid::int);

  actual := coalesce(
    (select e.revision from :schema.events e where e.stream = expected_stream order by e.revision desc limit 1), -1);

  if actual = expected then
    select e.event_id into duplicate from :schema.events e where e.event_id = any (ids) limit 1;
    if duplicate is not null then
      return query select 'duplicate-id', actual, null::bigint, duplicate;
      return;
    end if;
    if cardinality(ids) = 1 then
      insert into :schema.events (stream, revision, event_id, type, data, metadata)
      values (expected_stream, expected + 1, ids[1], types[1], datas[1], metadatas[1])
      returning position into last_position;
    else
      with stored as (
        insert into :schema.events (stream, revision, event_id, type, data, metadata)
        select expected_stream, expected + f.no, f.id, f.type, f.data, f.metadata
        from unnest(ids, types, datas, metadatas) with ordinality f(id, type, data, metadata, no)
        order by f.no
        returning position
      )
      select max(s.position) into last_position from stored s;
    end if;
    perform pg_notify(:channel, '');
    return query select 'appended', expected + cardinality(ids), last_position, null::uuid;
    return;
  end if;

  if actual > expected then
    select array_agg(e.event_id order by e.revision), max(e.position) into standing, last_position
    from :schema.events e
    where e.stream = expected_stream and e.revision > expected and e.revision <= expected + cardinality(ids);
    if standing = ids then
      return query select 'already', expected + cardinality(ids), last_position, null::uuid;
      return;
    end if;
  end if;
  return query select 'conflict', actual, null::bigint, null::uuid;
end $$;

-- Many appends in one transaction, each succeeding or failing by itself; one row per append, outcomes as above.
-- Per append: its stream, the revision it expects, how many facts it has. Per fact, in the order of the appends: its
-- stream and revision (expected + 1, + 2, …), id, type, data, metadata.
create function :schema.append_many(
  streams text[], expected bigint[], counts int[],
  fact_streams text[], fact_revisions bigint[], ids uuid[], types text[], datas json[], metadatas json[]
) returns table (append_no int, outcome text, last_revision bigint, last_position bigint, duplicate uuid)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  first int := 1;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'appending needs the isolation level read committed' using errcode = 'FI001';
  end if;
  perform pg_advisory_xact_lock(73051503, ':schema.events'::regclass::oid::int);

  -- As a rule every append fits, and all are one insert.
  if (select count(distinct s) = cardinality(streams) from unnest(streams) s)
    and (select count(distinct i) = cardinality(ids) from unnest(ids) i)
    and not exists (select from :schema.events e where e.event_id = any (ids))
    and not exists (
      select from unnest(streams, expected) a(stream, expected)
      where a.expected <> coalesce(
        (select e.revision from :schema.events e where e.stream = a.stream order by e.revision desc limit 1), -1))
  then
    return query
      with stored as (
        insert into :schema.events (stream, revision, event_id, type, data, metadata)
        select f.stream, f.revision, f.id, f.type, f.data, f.metadata
        from unnest(fact_streams, fact_revisions, ids, types, datas, metadatas)
          with ordinality f(stream, revision, id, type, data, metadata, no)
        order by f.no
        returning stream, revision, position
      )
      select a.no::int, 'appended', s.revision, s.position, null::uuid
      from unnest(streams, expected, counts) with ordinality a(stream, expected, count, no)
      join stored s on s.stream = a.stream and s.revision = a.expected + a.count;
    perform pg_notify(:channel, '');
    return;
  end if;

  for a in 1 .. cardinality(streams) loop
    return query
      select a, o.outcome, o.last_revision, o.last_position, o.duplicate
      from :schema.append_one(
        streams[a], expected[a], ids[first : first + counts[a] - 1], types[first : first + counts[a] - 1],
        datas[first : first + counts[a] - 1], metadatas[first : first + counts[a] - 1]) o;
    first := first + counts[a];
  end loop;
end $$;
