//! Suppression lists: who is never, or not before a date, to be called.
//!
//! A list is one that was configured, or a campaign's own, which has the campaign's id.

mod entries;

use std::collections::BTreeSet;

use engine::time::{rfc3339, rfc3339_option};
use engine::{PhoneNumber, SuppressionListId, TenantId, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::Tx;
use store::records::definitions as definition_rows;
use store::records::suppression::{self as rows, Added, SuppressedCustomer, SuppressedNumber};

pub use entries::{NewSuppression, RejectedSuppression};

use crate::access::{Permission, Principal};
use crate::audit::{self, Action};
use crate::model::{CampaignBody, Definition, SuppressionListBody};
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};
use entries::ReadEntries;

/// Entries in one request at most. They are stored in one transaction, which others must not wait for too long.
pub const SUPPRESSIONS_MAX: usize = 100_000;
/// Rejected entries that an answer tells of; the count covers all.
const REJECTED_TOLD_MAX: usize = 100;

/// Who is on a list.
#[derive(Clone, PartialEq, Eq)]
pub enum Suppressed {
    /// A number.
    Number(PhoneNumber),
    /// A customer, by their key in their source: none of their numbers is dialled.
    Customer(String),
}

/// Which kind of entries of a list is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionKind {
    /// Numbers.
    #[default]
    Number,
    /// Customers.
    Customer,
}

/// An entry of a list. Either `number` or `external_id` is given.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Suppression")]
pub struct SuppressionView {
    /// The number that is not dialled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<PhoneNumber>,
    /// The customer who is not called, by their key in their source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// It holds until this instant; for ever if null.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Time>,
    /// When it was put on the list.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub added_at: Time,
}

/// What came of adding entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SuppressionOutcome {
    /// Entries that are new.
    pub added: u64,
    /// Entries that were on the list until another instant.
    pub updated: u64,
    /// Entries that were on the list as they are.
    pub unchanged: u64,
    /// Entries that were not taken.
    pub rejected: u64,
    /// The first hundred of those.
    pub rejections: Vec<RejectedSuppression>,
}

impl From<SuppressedNumber> for SuppressionView {
    fn from(entry: SuppressedNumber) -> Self {
        Self { number: Some(entry.number), external_id: None, until: entry.until, added_at: entry.added_at }
    }
}

impl From<SuppressedCustomer> for SuppressionView {
    fn from(entry: SuppressedCustomer) -> Self {
        Self {
            number: None,
            external_id: Some(entry.external_id),
            until: entry.until,
            added_at: entry.added_at,
        }
    }
}

impl App {
    /// Puts numbers and customers on a list. What is wrong is rejected; the rest is taken, all of it or, after an
    /// error, none. Numbers leave every hopper at once and ringing calls to them are withdrawn.
    ///
    /// # Errors
    /// The caller may not, there is no such list, or there are too many entries.
    pub async fn suppress(
        &self,
        who: &Principal,
        list: SuppressionListId,
        entries: Vec<NewSuppression>,
    ) -> Result<SuppressionOutcome, AppError> {
        who.may(Permission::Feed)?;
        self.put_on_list(who, list, entries::read(entries, self.clock.now())?).await
    }

    /// As [`Self::suppress`], from a table with the columns `number` or `external_id`, and `until`.
    ///
    /// # Errors
    /// As [`Self::suppress`], or the table cannot be read.
    pub async fn suppress_table(
        &self,
        who: &Principal,
        list: SuppressionListId,
        table: Vec<u8>,
    ) -> Result<SuppressionOutcome, AppError> {
        who.may(Permission::Feed)?;
        let now = self.clock.now();
        // A hundred thousand numbers take a tenth of a second to read.
        let read = tokio::task::spawn_blocking(move || entries::read_table(table, now)).await;
        let read =
            read.map_err(|_| AppError::Internal("reading a table of suppressions panicked".to_owned()))??;
        self.put_on_list(who, list, read).await
    }

    async fn put_on_list(
        &self,
        who: &Principal,
        list: SuppressionListId,
        read: ReadEntries,
    ) -> Result<SuppressionOutcome, AppError> {
        let ReadEntries { numbers, customers, rejections } = read;
        let distinct = numbers.iter().map(|(number, _)| *number).collect::<BTreeSet<_>>();
        let keys = customers.iter().map(|(key, _)| key.as_str()).collect::<BTreeSet<_>>().len();
        let wanted = (distinct.len() + keys) as u64;
        let (who, now) = (who.clone(), self.clock.now());
        let (tenant, audit_id) = (who.tenant, self.ids.next(now));
        let (added, in_use) = self
            .write(move |tx| {
                let in_use = check_list(tx, tenant, list)?;
                let one = rows::add_numbers(tx, tenant, list, &numbers, now)?;
                let other = rows::add_customers(tx, tenant, list, &customers, now)?;
                let added = Added { added: one.added + other.added, updated: one.updated + other.updated };
                let after = serde_json::json!({ "added": added.added, "updated": added.updated });
                let kind = SuppressionListBody::KIND;
                audit::note(tx, &who, audit_id, now, Action::Add, kind, Some(list.0), None, Some(after))?;
                Ok((added, in_use))
            })
            .await?;
        if in_use && !distinct.is_empty() {
            self.floor.suppressed(tenant, list, distinct).await;
        }
        Ok(SuppressionOutcome {
            added: added.added,
            updated: added.updated,
            unchanged: wanted.saturating_sub(added.added + added.updated),
            rejected: rejections.len() as u64,
            rejections: rejections.into_iter().take(REJECTED_TOLD_MAX).collect(),
        })
    }

    /// Takes a number or customer off a list.
    ///
    /// # Errors
    /// The caller may not, there is no such list, or they are not on it.
    pub async fn unsuppress(
        &self,
        who: &Principal,
        list: SuppressionListId,
        entry: Suppressed,
    ) -> Result<(), AppError> {
        who.may(Permission::Feed)?;
        let (who, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        self.write(move |tx| {
            check_list(tx, who.tenant, list)?;
            let removed = match &entry {
                Suppressed::Number(number) => rows::remove_number(tx, who.tenant, list, *number)?,
                Suppressed::Customer(key) => rows::remove_customer(tx, who.tenant, list, key)?,
            };
            if !removed {
                // The entry is not repeated: errors may be logged, and it is personal.
                return Err(AppError::not_found("such entry on suppression list", list));
            }
            audit::note(
                tx,
                &who,
                audit_id,
                now,
                Action::Remove,
                SuppressionListBody::KIND,
                Some(list.0),
                None,
                None,
            )
        })
        .await
    }

    /// The entries of a list, page by page, those whose time is over too.
    ///
    /// # Errors
    /// The caller may not, or there is no such list.
    pub async fn suppressions(
        &self,
        who: &Principal,
        list: SuppressionListId,
        kind: SuppressionKind,
        page: &PageRequest,
    ) -> Result<Listing<SuppressionView>, AppError> {
        who.may(Permission::Read)?;
        let tenant = who.tenant;
        match kind {
            SuppressionKind::Number => {
                let page = page.read::<PhoneNumber>()?;
                let found = self.read(move |tx| {
                    check_list(tx, tenant, list)?;
                    Ok(rows::numbers(tx, tenant, list, &page)?)
                });
                Ok(Listing::of(found.await?, SuppressionView::from))
            }
            SuppressionKind::Customer => {
                let page = page.read::<String>()?;
                let found = self.read(move |tx| {
                    check_list(tx, tenant, list)?;
                    Ok(rows::customers(tx, tenant, list, &page)?)
                });
                Ok(Listing::of(found.await?, SuppressionView::from))
            }
        }
    }

    /// The entry of a number on a list, if it is on it.
    ///
    /// # Errors
    /// The caller may not, or there is no such list.
    pub async fn suppression_of_number(
        &self,
        who: &Principal,
        list: SuppressionListId,
        number: PhoneNumber,
    ) -> Result<Option<SuppressionView>, AppError> {
        who.may(Permission::Read)?;
        let tenant = who.tenant;
        self.read(move |tx| {
            check_list(tx, tenant, list)?;
            let entries = rows::lists_of_number(tx, tenant, number)?;
            Ok(entries.into_iter().find(|entry| entry.list == list).map(SuppressionView::from))
        })
        .await
    }
}

/// Refuses a list that is not there; says whether any campaign keeps to it.
fn check_list(tx: &mut Tx<'_>, tenant: TenantId, list: SuppressionListId) -> Result<bool, AppError> {
    if definition_rows::get(tx, tenant, CampaignBody::KIND, list.0)?.is_some() {
        return Ok(true);
    }
    if definition_rows::get(tx, tenant, SuppressionListBody::KIND, list.0)?.is_none() {
        return Err(AppError::not_found("suppression list", list));
    }
    Ok(!definition_rows::references(tx, tenant, list.0)?.is_empty())
}
