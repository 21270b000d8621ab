-- Many appends in one transaction, each succeeding or failing by itself. What append_many does, with less to say of those
-- that fit, which is all of them as a rule; append_many is for processes of the version before.
-- Per append: its stream, the revision it expects, how many facts it has; `repeats` says whether a stream comes twice among
-- them. Per fact, in the order of the appends: its stream and revision (expected + 1, + 2, …), id, type, data, metadata.
--   positions  of the facts of all appends that fit, in their order
--   others     of each other append its number, from 1, and what append_one says of it; null where there is none
create function :schema.append_batch(
  streams text[], expected bigint[], counts int[], repeats boolean,
  fact_streams text[], fact_revisions bigint[], ids uuid[], types text[], datas json[], metadatas json[],
  out positions bigint[], out others json
)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  first int := 1;
  misfits text[];
  said json[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'appending needs the isolation level read committed' using errcode = 'FI001';
  end if;
  perform pg_advisory_xact_lock(73051503, ':schema.events'::regclass::oid::int);

  if repeats then
    -- Of two appends to one stream, what the second one meets depends on the first.
    misfits := streams;
  else
    misfits := array(
      select a.stream from unnest(streams, expected) a(stream, expected)
      where a.expected <> coalesce(
        (select e.revision from :schema.events e where e.stream = a.stream order by e.revision desc limit 1), -1));
  end if;

  if cardinality(misfits) < cardinality(streams) then
    with stored as (
      insert into :schema.events (stream, revision, event_id, type, data, metadata)
      select f.stream, f.revision, f.id, f.type, f.data, f.metadata
      from unnest(fact_streams, fact_revisions, ids, types, datas, metadatas)
        with ordinality f(stream, revision, id, type, data, metadata, no)
      where f.stream <> all (misfits)
      order by f.no
      returning position
    )
    select array_agg(s.position order by s.position) into positions from stored s;
    perform pg_notify(:channel, '');
  end if;
  if cardinality(misfits) = 0 then
    return;
  end if;

  for a in 1 .. cardinality(streams) loop
    if streams[a] = any (misfits) then
      said := said || (
        select json_build_object(
          'append_no', a, 'outcome', o.outcome, 'last_revision', o.last_revision::text,
          'last_position', o.last_position::text, 'duplicate', o.duplicate)
        from :schema.append_one(
          streams[a], expected[a], ids[first : first + counts[a] - 1], types[first : first + counts[a] - 1],
          datas[first : first + counts[a] - 1], metadatas[first : first + counts[a] - 1]) o);
    end if;
    first := first + counts[a];
  end loop;
  others := array_to_json(said);
end $$;
