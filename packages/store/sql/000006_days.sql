-- What grows by builds stands in a partition for each day: of its build's opening, in UTC, or '-infinity' where that is not
-- known. A day of the audit goes by dropping its partitions.
alter table :schema.builds rename to builds_before;
alter table :schema.build_images rename to build_images_before;

create table :schema.builds (
  build_id   text collate "C" not null,
  day        date not null,
  team       text,
  pipeline   text,
  job        text,
  steps      json,
  opened_at  timestamptz,
  -- When the build's facts were given up. What is known of the build stays, since nothing can make it again.
  expired_at timestamptz,
  primary key (build_id, day)
) partition by range (day);
create index on :schema.builds (opened_at desc nulls last);
create index on :schema.builds (opened_at, build_id) where expired_at is null;

create table :schema.build_images (
  build_id     text collate "C" not null,
  fetch_id     text collate "C" not null,
  day          date not null,
  plan_id      text,
  name         text,
  type         text,
  scope        text,
  repository   text collate "C",
  tag          text collate "C",
  state        text,
  reference    text,
  image_url    text,
  digest       text collate "C",
  version      json,
  via          text,
  artifact     text,
  observed_at  timestamptz,
  evidence     json,
  failure      json,
  requested_at timestamptz,
  ended_at     timestamptz,
  primary key (build_id, fetch_id, day)
) partition by range (day);
create index on :schema.build_images (digest, requested_at);
create index on :schema.build_images (repository, requested_at);

-- On which day a build stands, so that a build is found without looking into every day. A build that is not here, or whose
-- day is no more, can only stand at '-infinity'. In partitions by month, few to look into, that go with their last day.
create table :schema.build_days (
  build_id text collate "C" not null,
  day      date not null,
  primary key (build_id, day)
) partition by range (day);

-- The days that there are partitions for.
create table :schema.days (day date primary key);

-- Builds that were opened before this day may have been dropped from the audit.
create table :schema.audit_horizon (one boolean primary key default true check (one), dropped_before date not null);

create table :schema.builds_undated partition of :schema.builds for values from (minvalue) to ('0001-01-01');
create table :schema.build_images_undated partition of :schema.build_images for values from (minvalue) to ('0001-01-01');

-- Makes the partitions of days. By the owner's right, so that a projector needs none to create anything; made first and
-- attached then, so that nobody who reads or writes waits.
create function :schema.ensure_days(wanted date[]) returns void
language plpgsql security definer
set search_path = pg_catalog
as $$
declare
  missing date;
  part text;
  first date;
begin
  for missing in
    select distinct w from unnest(wanted) w
    where isfinite(w) and not exists (select from :schema.days d where d.day = w) order by w
  loop
    foreach part in array array['builds', 'build_images'] loop
      execute format('create table :schema.%I (like :schema.%I including all)', part || to_char(missing, '_YYYYMMDD'), part);
      execute format('alter table :schema.%I attach partition :schema.%I for values from (%L) to (%L)',
        part, part || to_char(missing, '_YYYYMMDD'), missing, missing + 1);
    end loop;
    first := date_trunc('month', missing::timestamp)::date;
    if not exists (select from :schema.days d where d.day >= first and d.day < (first + interval '1 month')::date) then
      execute format('create table :schema.%I (like :schema.build_days including all)', to_char(first, '"build_days"_YYYYMM'));
      execute format('alter table :schema.build_days attach partition :schema.%I for values from (%L) to (%L)',
        to_char(first, '"build_days"_YYYYMM'), first, (first + interval '1 month')::date);
    end if;
    insert into :schema.days (day) values (missing);
  end loop;
end $$;

-- Drops a day of the audit; false, and nothing is done, where more of its builds than `most` have facts still. Fewer of
-- them are moved out of it first. Where the facts stand in another store, nobody here knows of them, and none is looked for.
create function :schema.drop_day(checkpoint text, dropped date, most int) returns boolean
language plpgsql
set enable_seqscan = off
as $$
declare
  stay text[];
  part text;
  first date := date_trunc('month', dropped::timestamp)::date;
begin
  -- Before or after a page of changes, and never beside one.
  perform from :schema.checkpoints c where c.name = checkpoint for update;
  if not exists (select from :schema.days d where d.day = dropped) then
    return true;
  end if;
  if not exists (select from :schema.checkpoints c where c.name = checkpoint and c.position !~ '^[0-9]{1,18}$') then
    execute format('select array_agg(b.build_id) from (
      select build_id from :schema.builds where day = %L and expired_at is null limit %s) b', dropped, most + 1) into stay;
    if cardinality(stay) > most then
      return false;
    end if;
    if stay is not null then
      delete from :schema.build_days d where d.build_id = any (stay) and d.day = dropped;
      update :schema.builds b set day = '-infinity' where b.day = dropped and b.build_id = any (stay);
      update :schema.build_images i set day = '-infinity' where i.day = dropped and i.build_id = any (stay);
    end if;
  end if;
  foreach part in array array['builds', 'build_images'] loop
    execute format('drop table :schema.%I', part || to_char(dropped, '_YYYYMMDD'));
  end loop;
  delete from :schema.days d where d.day = dropped;
  if not exists (select from :schema.days d where d.day >= first and d.day < (first + interval '1 month')::date) then
    execute format('drop table :schema.%I', to_char(first, '"build_days"_YYYYMM'));
  end if;
  insert into :schema.audit_horizon as h (dropped_before) values (dropped + 1)
  on conflict (one) do update set dropped_before = greatest(h.dropped_before, excluded.dropped_before);
  return true;
end $$;

-- Builds by their ids, and the images of builds. The days are put into the statement as they are, so that no other day's
-- partition is even opened.
create function :schema.days_of_builds(ids text[]) returns date[]
language sql stable
set enable_seqscan = off
as $$
  select '-infinity'::date || coalesce(array_agg(distinct d.day), '{}') from :schema.build_days d
  where d.build_id = any (ids)
$$;

create function :schema.builds_by_id(ids text[]) returns setof :schema.builds
language plpgsql stable
as $$
begin
  return query execute format('select * from :schema.builds b where b.day = any (%L) and b.build_id = any ($1)',
    :schema.days_of_builds(ids)) using ids;
end $$;

create function :schema.images_of_builds(ids text[]) returns setof :schema.build_images
language plpgsql stable
as $$
begin
  return query execute format('select * from :schema.build_images i where i.day = any (%L) and i.build_id = any ($1)',
    :schema.days_of_builds(ids)) using ids;
end $$;

-- What there was.
select :schema.ensure_days(array_agg(distinct (b.opened_at at time zone 'UTC')::date)) from :schema.builds_before b
where b.opened_at >= '0001-01-01T00:00:00Z';
insert into :schema.builds (build_id, day, team, pipeline, job, steps, opened_at, expired_at)
select b.build_id,
  case when b.opened_at >= '0001-01-01T00:00:00Z' then (b.opened_at at time zone 'UTC')::date else '-infinity' end,
  b.team, b.pipeline, b.job, b.steps, b.opened_at, b.expired_at
from :schema.builds_before b;
insert into :schema.build_days (build_id, day) select b.build_id, b.day from :schema.builds b where isfinite(b.day);
insert into :schema.build_images (
  build_id, fetch_id, day, plan_id, name, type, scope, repository, tag, state, reference, image_url, digest, version, via,
  artifact, observed_at, evidence, failure, requested_at, ended_at)
select i.build_id, i.fetch_id, coalesce(b.day, '-infinity'), i.plan_id, i.name, i.type, i.scope, i.repository, i.tag,
  i.state, i.reference, i.image_url, i.digest, i.version, i.via, i.artifact, i.observed_at, i.evidence, i.failure,
  i.requested_at, i.ended_at
from :schema.build_images_before i left join :schema.builds b on b.build_id = i.build_id;

-- Whoever was allowed to use them is allowed to use what stands in their place.
do $$
declare
  given record;
begin
  for given in
    select distinct a.privilege_type as privilege, coalesce(r.rolname, 'public') as role
    from pg_catalog.pg_class c, aclexplode(c.relacl) a left join pg_catalog.pg_roles r on r.oid = a.grantee
    where c.oid = ':schema.builds_before'::regclass and a.grantee <> c.relowner
      and a.privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
  loop
    execute format(
      'grant %s on :schema.builds, :schema.build_images, :schema.build_days, :schema.days, :schema.audit_horizon to %s',
      given.privilege, case given.role when 'public' then 'public' else quote_ident(given.role) end);
  end loop;
end $$;

drop table :schema.builds_before;
drop table :schema.build_images_before;

-- Applies one page of changes and moves the checkpoint; false, and nothing changed, where it does not stand at
-- from_position (null: it does not exist). Rows are JSON arrays of objects, at most one per key; a field that is absent
-- leaves what is stored; json columns come as their text. A build whose facts had been given up has facts again.
create or replace function :schema.apply_changes(
  checkpoint text, from_position text, to_position text,
  builds json, images json, scopes json, versions json, observations json
) returns boolean
language plpgsql
-- A few rows meet a large table: each is found by the index, whatever is known of the table's size.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  opened text[];
  opened_days date[];
begin
  if from_position is null then
    insert into :schema.checkpoints (name, position) values (checkpoint, to_position) on conflict do nothing;
  else
    update :schema.checkpoints c set position = to_position where c.name = checkpoint and c.position = from_position;
  end if;
  if not found then
    return false;
  end if;

  -- Builds that are said to have been opened on another day than they stand on, as a rule nowhere yet, get their place.
  select array_agg(r.build_id), array_agg(r.day) into opened, opened_days
  from (
    select build_id, (opened_at at time zone 'UTC')::date as day
    from json_to_recordset(builds) as r(build_id text, opened_at timestamptz)
    where opened_at >= '0001-01-01T00:00:00Z'
  ) r
  where not exists (
    select from :schema.build_days d join :schema.days k on k.day = d.day where d.build_id = r.build_id and d.day = r.day);
  if opened is not null then
    perform :schema.ensure_days(opened_days);
    perform :schema.place_builds(opened, opened_days);
  end if;

  insert into :schema.builds as old (build_id, day, team, pipeline, job, steps, opened_at)
  select build_id, coalesce(p.day, '-infinity'), team, pipeline, job, steps::json, opened_at
  from json_to_recordset(builds) as r(
    build_id text, team text, pipeline text, job text, steps text, opened_at timestamptz)
  left join lateral (
    select d.day from :schema.build_days d join :schema.days k on k.day = d.day where d.build_id = r.build_id
  ) p on true
  on conflict (build_id, day) do update set
    team = coalesce(excluded.team, old.team),
    pipeline = coalesce(excluded.pipeline, old.pipeline),
    job = coalesce(excluded.job, old.job),
    steps = coalesce(excluded.steps, old.steps),
    opened_at = coalesce(excluded.opened_at, old.opened_at),
    expired_at = null;

  insert into :schema.build_images as old (
    build_id, fetch_id, day, plan_id, name, type, scope, repository, tag, state, reference, image_url, digest, version, via,
    artifact, observed_at, evidence, failure, requested_at, ended_at)
  select
    build_id, fetch_id, coalesce(p.day, '-infinity'), plan_id, name, type, scope, repository, tag, state, reference,
    image_url, digest, version::json, via, artifact, observed_at, evidence::json, failure::json, requested_at, ended_at
  from json_to_recordset(images) as r(
    build_id text, fetch_id text, plan_id text, name text, type text, scope text, repository text, tag text, state text,
    reference text, image_url text, digest text, version text, via text, artifact text, observed_at timestamptz,
    evidence text, failure text, requested_at timestamptz, ended_at timestamptz)
  left join lateral (
    select d.day from :schema.build_days d join :schema.days k on k.day = d.day where d.build_id = r.build_id
  ) p on true
  on conflict (build_id, fetch_id, day) do update set
    plan_id = coalesce(excluded.plan_id, old.plan_id),
    name = coalesce(excluded.name, old.name),
    type = coalesce(excluded.type, old.type),
    scope = coalesce(excluded.scope, old.scope),
    repository = coalesce(excluded.repository, old.repository),
    tag = coalesce(excluded.tag, old.tag),
    state = coalesce(excluded.state, old.state),
    reference = coalesce(excluded.reference, old.reference),
    image_url = coalesce(excluded.image_url, old.image_url),
    digest = coalesce(excluded.digest, old.digest),
    version = coalesce(excluded.version, old.version),
    via = coalesce(excluded.via, old.via),
    artifact = coalesce(excluded.artifact, old.artifact),
    observed_at = coalesce(excluded.observed_at, old.observed_at),
    evidence = coalesce(excluded.evidence, old.evidence),
    failure = coalesce(excluded.failure, old.failure),
    requested_at = coalesce(excluded.requested_at, old.requested_at),
    ended_at = coalesce(excluded.ended_at, old.ended_at);

  insert into :schema.scopes as old (
    scope, type, repository, tag, pull_repository, credential, source, last_checked_at, last_failure)
  select
    scope, type, repository, tag, pull_repository, credential, source::json, last_checked_at, last_failure::json
  from json_to_recordset(scopes) as r(
    scope text, type text, repository text, tag text, pull_repository text, credential text, source text,
    last_checked_at timestamptz, last_failure text)
  on conflict (scope) do update set
    type = coalesce(excluded.type, old.type),
    repository = coalesce(excluded.repository, old.repository),
    tag = coalesce(excluded.tag, old.tag),
    pull_repository = coalesce(excluded.pull_repository, old.pull_repository),
    credential = coalesce(excluded.credential, old.credential),
    source = coalesce(excluded.source, old.source),
    last_checked_at = coalesce(excluded.last_checked_at, old.last_checked_at),
    last_failure = coalesce(excluded.last_failure, old.last_failure);

  -- least and greatest pass over nulls.
  insert into :schema.versions as old (scope, tag, digest, check_order, first_observed_at, last_observed_at)
  select * from json_to_recordset(versions) as r(
    scope text, tag text, digest text, check_order bigint, first_observed_at timestamptz, last_observed_at timestamptz)
  on conflict (scope, tag, digest) do update set
    check_order = coalesce(excluded.check_order, old.check_order),
    first_observed_at = least(excluded.first_observed_at, old.first_observed_at),
    last_observed_at = greatest(excluded.last_observed_at, old.last_observed_at);

  -- A fact never changes, and neither does its row.
  insert into :schema.observations (
    scope, revision, outcome, observed_at, tag, digest, via, host, status, build_id, fetch_id, node, failure)
  select
    scope, revision, outcome, observed_at, tag, digest, via, host, status, build_id, fetch_id, node, failure::json
  from json_to_recordset(observations) as r(
    scope text, revision bigint, outcome text, observed_at timestamptz, tag text, digest text, via text, host text,
    status int, build_id text, fetch_id text, node text, failure text)
  on conflict (scope, revision) do nothing;

  return true;
end $$;

-- Puts builds on their days, and what was stored of them before.
create function :schema.place_builds(ids text[], ids_days date[]) returns void
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  standing date[];
begin
  -- The undated come first; that is where the rows of a build stand whose opening was not known.
  standing := :schema.days_of_builds(ids);
  delete from :schema.build_days d where d.build_id = any (ids);
  insert into :schema.build_days (build_id, day) select * from unnest(ids, ids_days);
  execute format('update :schema.builds b set day = p.day from unnest($1, $2) p(build_id, day)
    where b.day = any (%L) and b.build_id = p.build_id and b.day <> p.day', standing) using ids, ids_days;
  execute format('update :schema.build_images i set day = p.day from unnest($1, $2) p(build_id, day)
    where i.day = any (%L) and i.build_id = p.build_id and i.day <> p.day', standing) using ids, ids_days;
end $$;

-- As before, and each build looked for on its own day.
create or replace function :schema.expire_builds(
  stream_prefix text, checkpoint text, before timestamptz, after_opened timestamptz, after_build text, most int
) returns table (looked bigint, builds bigint, facts bigint, last_opened text, last_build text)
language plpgsql
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  projected bigint;
  candidates text[];
  days date[];
  over text[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'expiring needs the isolation level read committed' using errcode = 'FI001';
  end if;
  -- No append to one of these builds comes between the look and the deletion.
  perform pg_advisory_xact_lock(73051503, ':schema.events'::regclass::oid::int);
  select c.position::bigint into projected
  from :schema.checkpoints c where c.name = checkpoint and c.position ~ '^[0-9]{1,18}$';

  select array_agg(b.build_id order by b.opened_at, b.build_id), array_agg(distinct b.day), max(b.opened_at)::text
  into candidates, days, last_opened
  from (
    select b.build_id, b.day, b.opened_at from :schema.builds b
    where b.expired_at is null and b.opened_at < before
      and (after_build is null or (b.opened_at, b.build_id) > (after_opened, after_build))
    order by b.opened_at, b.build_id limit most
  ) b;
  looked := coalesce(cardinality(candidates), 0);
  last_build := candidates[looked];

  select coalesce(array_agg(c.build_id), '{}') into over
  from unnest(candidates) c(build_id)
  where not exists (
      select from :schema.build_images i where i.day = any (days) and i.build_id = c.build_id and i.ended_at is null)
    and (
      select e.recorded_at < before and e.position <= projected
      from :schema.events e where e.stream = stream_prefix || c.build_id order by e.revision desc limit 1
    );

  delete from :schema.events e where e.stream = any (select stream_prefix || o from unnest(over) o);
  get diagnostics facts = row_count;
  update :schema.builds b set expired_at = clock_timestamp() where b.day = any (days) and b.build_id = any (over);
  get diagnostics builds = row_count;
  return next;
end $$;

-- Removes the facts of builds whose last revisions are known to the caller, who has them elsewhere: none of a build that
-- has gone on since, or that the read model has not seen to its end.
create function :schema.expire_archived(stream_prefix text, checkpoint text, ids text[], last_revisions bigint[])
returns table (builds bigint, facts bigint)
language plpgsql
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  projected bigint;
  days date[];
  over text[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'expiring needs the isolation level read committed' using errcode = 'FI001';
  end if;
  perform pg_advisory_xact_lock(73051503, ':schema.events'::regclass::oid::int);
  select c.position::bigint into projected
  from :schema.checkpoints c where c.name = checkpoint and c.position ~ '^[0-9]{1,18}$';
  days := :schema.days_of_builds(ids);
  select coalesce(array_agg(a.build_id), '{}') into over
  from unnest(ids, last_revisions) a(build_id, last_revision)
  where (
    select e.revision = a.last_revision and e.position <= projected
    from :schema.events e where e.stream = stream_prefix || a.build_id order by e.revision desc limit 1
  );
  delete from :schema.events e where e.stream = any (select stream_prefix || o from unnest(over) o);
  get diagnostics facts = row_count;
  update :schema.builds b set expired_at = clock_timestamp() where b.day = any (days) and b.build_id = any (over);
  builds := cardinality(over);
  return next;
end $$;

-- As before. What is known of builds whose facts are gone stays where it is.
create or replace function :schema.reset_read_model(checkpoint text) returns void
language sql
as $$
  insert into :schema.checkpoints (name, position) values (checkpoint, '') on conflict do nothing;
  delete from :schema.checkpoints c where c.name = checkpoint;
  delete from :schema.builds b where b.expired_at is null;
  delete from :schema.build_images i
  where not exists (select from :schema.builds b where b.build_id = i.build_id and b.day = i.day);
  delete from :schema.build_days d
  where not exists (select from :schema.builds b where b.build_id = d.build_id and b.day = d.day);
  delete from :schema.scopes;
  delete from :schema.versions;
  delete from :schema.observations;
$$;
