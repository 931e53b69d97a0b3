//! Sources by name, and the map that each of them has for rows that come without one.

use contacts::SourceMap;
use engine::{GroupId, SkillId, SourceId, TenantId, Time};
use store::Tx;
use store::records::{definitions as definition_rows, imports as import_rows};

use crate::access::{Permission, Principal};
use crate::callbacks::due;
use crate::definitions::{load, load_all};
use crate::imports::check_fields;
use crate::model::{
    CampaignBody, CampaignGroupBody, Definition, SkillBody, SourceBody, SourceMapBody, Stored,
};
use crate::{App, AppError};

/// What a source's own map is called.
const OWN: &str = "Rows";

/// What became of a map that was set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapSet {
    /// The source had none.
    Created,
    /// It took the place of another.
    Changed,
    /// The source has it already.
    Unchanged,
}

/// Where rows for a skill go.
#[derive(Clone, Debug)]
pub struct RowsPlace {
    /// The source.
    pub source: SourceId,
    /// The campaign group that serves the skill.
    pub group: GroupId,
    /// The source's own map, if it has one.
    pub map: Option<SourceMap>,
}

impl App {
    /// The source of this name.
    ///
    /// # Errors
    /// The caller may not, there is none, or sources of several campaigns have the name.
    pub async fn source_by_name(&self, who: &Principal, name: &str) -> Result<Stored<SourceBody>, AppError> {
        who.may(Permission::LookUp)?;
        let (tenant, name) = (who.tenant, name.to_owned());
        self.read(move |tx| {
            let mut found = sources_named(tx, tenant, &name)?;
            match (found.pop(), found.is_empty()) {
                (Some(source), true) => Ok(source),
                (Some(_), false) => {
                    let message = "sources of several campaigns have this name: give the source's id";
                    Err(AppError::conflict("ambiguous_source", message))
                }
                (None, _) => Err(AppError::not_found(SourceBody::KIND, name.clone())),
            }
        })
        .await
    }

    /// A source's own map: the one that rows come under which name none. It is the source's only one, or that called
    /// `Rows`.
    ///
    /// # Errors
    /// The caller may not, or there is no such source.
    pub async fn own_source_map(
        &self,
        who: &Principal,
        source: SourceId,
    ) -> Result<Option<Stored<SourceMapBody>>, AppError> {
        who.may(Permission::LookUp)?;
        let tenant = who.tenant;
        self.read(move |tx| {
            load::<SourceBody>(tx, tenant, source.0)?;
            own_map(tx, tenant, source)
        })
        .await
    }

    /// Gives a source its own map. Setting the same again changes nothing, and says so.
    ///
    /// # Errors
    /// The caller may not, there is no such source, the map cannot be or does not fit the campaign's fields, or an
    /// import of the source is under way.
    pub async fn set_own_source_map(
        &self,
        who: &Principal,
        source: SourceId,
        map: SourceMap,
    ) -> Result<MapSet, AppError> {
        who.may(Permission::Configure)?;
        let (tenant, wanted) = (who.tenant, map.clone());
        let (known, is_in_use) = self
            .read(move |tx| {
                let campaign = load::<SourceBody>(tx, tenant, source.0)?.body.campaign;
                let fields = load::<CampaignBody>(tx, tenant, campaign.0)?.body.fields;
                check_fields(&wanted, &fields)?;
                Ok((own_map(tx, tenant, source)?, import_rows::any_unfinished(tx, tenant, source)?))
            })
            .await?;
        match known {
            Some(known) if known.body.map == map => Ok(MapSet::Unchanged),
            Some(_) if is_in_use => {
                let message = "an import of this source is under way: wait for its end, or cancel it";
                Err(AppError::conflict("fields_in_use", message))
            }
            Some(known) => {
                let body = SourceMapBody { map, ..known.body };
                self.update(who, known.id, known.version, body).await.map(|_| MapSet::Changed)
            }
            None => {
                let body = SourceMapBody { name: OWN.to_owned(), source, map };
                self.create(who, body).await.map(|_| MapSet::Created)
            }
        }
    }

    /// An instant from which on contacts expire: ISO 8601, in the tenant's zone without an offset; a date counts to its
    /// end.
    ///
    /// # Errors
    /// It is neither, or over already; `field` is where it was said.
    pub async fn read_expiry(&self, who: &Principal, field: &str, text: &str) -> Result<Time, AppError> {
        let tenant = who.tenant;
        let zone = self.read(move |tx| due::zone_of(tx, tenant)).await?;
        let message = match due::read_end(text, &zone) {
            Some(end) if end > self.clock.now() => return Ok(end),
            Some(_) => "it is over already: give a time to come",
            None => "it is neither a date nor a date and time: write 2027-01-31 or 2027-01-31T09:30:00+01:00",
        };
        Err(AppError::invalid("bad_date", field, message))
    }

    /// Where rows for a skill go that come from the source of this name.
    ///
    /// # Errors
    /// The caller may not, nobody calls out for the skill, there is no such source in a campaign that is called with the
    /// skill, or it is not clear which group is meant.
    pub async fn place_for_rows(
        &self,
        who: &Principal,
        skill: SkillId,
        source_name: &str,
    ) -> Result<RowsPlace, AppError> {
        who.may(Permission::Feed)?;
        let (tenant, name) = (who.tenant, source_name.trim().to_owned());
        self.read(move |tx| {
            if definition_rows::get(tx, tenant, SkillBody::KIND, skill.0)?.is_none() {
                return Err(AppError::invalid("unknown_skill", "skillNo", "there is no such skill"));
            }
            let groups = load_all::<CampaignGroupBody>(tx, tenant)?;
            let serving: Vec<_> = groups.into_iter().filter(|group| group.body.skill == skill).collect();
            if serving.is_empty() {
                let message = "no campaign group serves this skill, so nobody calls out for it";
                return Err(AppError::invalid("not_outbound_skill", "skillNo", message));
            }
            let mut sources = sources_named(tx, tenant, &name)?;
            sources.retain(|source| serving.iter().any(|group| group.body.campaign == source.body.campaign));
            let Some(source) = sources.pop() else {
                let message = format!(
                    "no campaign that is called with this skill has a source '{name}': create it first"
                );
                return Err(AppError::invalid("unknown_source", "sourceName", message));
            };
            let mut groups = serving.iter().filter(|group| group.body.campaign == source.body.campaign);
            let (Some(group), None, true) = (groups.next(), groups.next(), sources.is_empty()) else {
                let message = "several campaign groups serve this skill with a source of this name: have each skill \
                               served by one group, or give the sources names of their own";
                return Err(AppError::invalid("ambiguous_skill", "skillNo", message));
            };
            let source_id = SourceId(source.id);
            let map = own_map(tx, tenant, source_id)?.map(|map| map.body.map);
            Ok(RowsPlace { source: source_id, group: GroupId(group.id), map })
        })
        .await
    }
}

/// The sources of a name, whatever the case of its ASCII letters.
fn sources_named(tx: &mut Tx<'_>, tenant: TenantId, name: &str) -> Result<Vec<Stored<SourceBody>>, AppError> {
    let mut sources = load_all::<SourceBody>(tx, tenant)?;
    sources.retain(|source| source.body.name.eq_ignore_ascii_case(name));
    Ok(sources)
}

fn own_map(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    source: SourceId,
) -> Result<Option<Stored<SourceMapBody>>, AppError> {
    let mut maps = load_all::<SourceMapBody>(tx, tenant)?;
    maps.retain(|map| map.body.source == source);
    if maps.len() > 1 {
        maps.retain(|map| map.body.name == OWN);
    }
    Ok(maps.pop())
}
