-- When a build's facts were given up. What the read model knows of the build stays, since nothing can make it again.
alter table :schema.builds add column expired_at timestamptz;
create index builds_unexpired on :schema.builds (opened_at, build_id) where expired_at is null;

-- Looks at some builds that were opened before a time, from after one of them on (null: from the first), oldest first, and
-- removes the facts of those that are over: every fetch has ended, the last fact was stored before that time, and the read
-- model has seen it. One row: how many were looked at, how many of them expired with how many facts, and the last one.
create function :schema.expire_builds(
  stream_prefix text, checkpoint text, before timestamptz, after_opened timestamptz, after_build text, most int
) returns table (looked bigint, builds bigint, facts bigint, last_opened text, last_build text)
language plpgsql
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  projected bigint;
  candidates text[];
  over text[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'expiring needs the isolation level read committed' using errcode = 'FI001';
  end if;
  -- No append to one of these builds comes between the look and the deletion.
  perform pg_advisory_xact_lock(73051503, ':schema.events'::regclass::oid::int);
  select c.position::bigint into projected
  from :schema.checkpoints c where c.name = checkpoint and c.position ~ '^[0-9]{1,18}$';

  select array_agg(b.build_id order by b.opened_at, b.build_id), max(b.opened_at)::text
  into candidates, last_opened
  from (
    select b.build_id, b.opened_at from :schema.builds b
    where b.expired_at is null and b.opened_at < before
      and (after_build is null or (b.opened_at, b.build_id) > (after_opened, after_build))
    order by b.opened_at, b.build_id limit most
  ) b;
  looked := coalesce(cardinality(candidates), 0);
  last_build := candidates[looked];

  select coalesce(array_agg(c.build_id), '{}') into over
  from unnest(candidates) c(build_id)
  where not exists (select from :schema.build_images i where i.build_id = c.build_id and i.ended_at is null)
    and (
      select e.recorded_at < before and e.position <= projected
      from :schema.events e where e.stream = stream_prefix || c.build_id order by e.revision desc limit 1
    );

  delete from :schema.events e where e.stream = any (select stream_prefix || o from unnest(over) o);
  get diagnostics facts = row_count;
  update :schema.builds b set expired_at = clock_timestamp() where b.build_id = any (over);
  get diagnostics builds = row_count;
  return next;
end $$;

-- As before, but for what is known of builds whose facts are gone.
create or replace function :schema.reset_read_model(checkpoint text) returns void
language sql
as $$
  insert into :schema.checkpoints (name, position) values (checkpoint, '') on conflict do nothing;
  delete from :schema.checkpoints c where c.name = checkpoint;
  delete from :schema.builds b where b.expired_at is null;
  delete from :schema.build_images i where not exists (select from :schema.builds b where b.build_id = i.build_id);
  delete from :schema.scopes;
  delete from :schema.versions;
$$;
