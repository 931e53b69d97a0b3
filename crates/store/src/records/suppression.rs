//! Who is never, or not before a date, to be dialled: numbers and customers on suppression lists. The lists
//! themselves are definitions.

use std::collections::BTreeMap;

use engine::{PhoneNumber, SuppressionListId, TenantId, Time};

use super::debug_showing;
use super::page::{Page, Rows, Select};
use crate::{Row, StoreError, Tx, Value, values};

/// What a bulk addition did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Entries that were not on the list.
    pub added: u64,
    /// Entries that were, until another instant.
    pub updated: u64,
}

/// A number on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressedNumber {
    /// Which list.
    pub list: SuppressionListId,
    /// Which number.
    pub number: PhoneNumber,
    /// It may be dialled again from this instant on; never if none.
    pub until: Option<Time>,
    /// When it was put on the list.
    pub added_at: Time,
}

/// A customer on a list: none of their numbers is dialled.
#[derive(Clone, PartialEq, Eq)]
pub struct SuppressedCustomer {
    /// Which list.
    pub list: SuppressionListId,
    /// The customer's key in their source.
    pub external_id: String,
    /// They may be called again from this instant on; never if none.
    pub until: Option<Time>,
    /// When they were put on the list.
    pub added_at: Time,
}

debug_showing!(SuppressedCustomer: list, until, added_at);

fn read_number(row: &Row) -> Result<SuppressedNumber, StoreError> {
    Ok(SuppressedNumber { list: row.get(0)?, number: row.get(1)?, until: row.get(2)?, added_at: row.get(3)? })
}

fn read_customer(row: &Row) -> Result<SuppressedCustomer, StoreError> {
    Ok(SuppressedCustomer {
        list: row.get(0)?,
        external_id: row.get(1)?,
        until: row.get(2)?,
        added_at: row.get(3)?,
    })
}

/// Puts numbers on a list, each until an instant or for good. A number that is on it takes the new instant; the
/// last one counts where a number is given twice.
///
/// # Errors
/// The database failed.
pub fn add_numbers(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    list: SuppressionListId,
    numbers: &[(PhoneNumber, Option<Time>)],
    now: Time,
) -> Result<Added, StoreError> {
    // In order, so that two additions at once lock the rows in the same order and neither waits for the other's end.
    let numbers: BTreeMap<PhoneNumber, Option<Time>> = numbers.iter().copied().collect();
    let entries = numbers.into_iter().map(|(number, until)| (number.into(), until)).collect();
    add(tx, "suppressed_number", "number", tenant, list, entries, now)
}

/// Puts customers on a list by their keys; otherwise as [`add_numbers`].
///
/// # Errors
/// The database failed.
pub fn add_customers(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    list: SuppressionListId,
    customers: &[(String, Option<Time>)],
    now: Time,
) -> Result<Added, StoreError> {
    let customers: BTreeMap<&str, Option<Time>> =
        customers.iter().map(|(key, until)| (key.as_str(), *until)).collect();
    let entries = customers.into_iter().map(|(key, until)| (key.into(), until)).collect();
    add(tx, "suppressed_customer", "external_id", tenant, list, entries, now)
}

/// Inserts what is new, then changes what differs, so that both counts are exact whatever else is written meanwhile.
fn add(
    tx: &mut Tx<'_>,
    table: &str,
    key: &str,
    tenant: TenantId,
    list: SuppressionListId,
    entries: Vec<(Value, Option<Time>)>,
    now: Time,
) -> Result<Added, StoreError> {
    let wanted = entries.len() as u64;
    let insert = format!(
        "INSERT INTO {table} (list_id, {key}, tenant_id, until, added_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (list_id, {key}) DO NOTHING"
    );
    let rows: Vec<[Value; 5]> =
        entries.iter().map(|(entry, until)| values![list, entry.clone(), tenant, *until, now]).collect();
    let added = tx.execute_many(&insert, &rows)?;
    if added == wanted {
        return Ok(Added { added, updated: 0 });
    }
    let update = format!(
        "UPDATE {table} SET until = $4
         WHERE list_id = $1 AND {key} = $2 AND tenant_id = $3 AND until IS DISTINCT FROM $4"
    );
    let rows: Vec<[Value; 4]> =
        entries.into_iter().map(|(entry, until)| values![list, entry, tenant, until]).collect();
    Ok(Added { added, updated: tx.execute_many(&update, &rows)? })
}

/// Takes a number off a list; `false` if it was not on it.
///
/// # Errors
/// The database failed.
pub fn remove_number(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    list: SuppressionListId,
    number: PhoneNumber,
) -> Result<bool, StoreError> {
    let removed = tx.execute(
        "DELETE FROM suppressed_number WHERE list_id = $1 AND number = $2 AND tenant_id = $3",
        &values![list, number, tenant],
    )?;
    Ok(removed > 0)
}

/// Takes a customer off a list; `false` if they were not on it.
///
/// # Errors
/// The database failed.
pub fn remove_customer(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    list: SuppressionListId,
    external_id: &str,
) -> Result<bool, StoreError> {
    let removed = tx.execute(
        "DELETE FROM suppressed_customer WHERE list_id = $1 AND external_id = $2 AND tenant_id = $3",
        &values![list, external_id, tenant],
    )?;
    Ok(removed > 0)
}

/// The numbers on a list, in their order; those whose time is over too.
///
/// # Errors
/// The database failed.
pub fn numbers(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    list: SuppressionListId,
    page: &Page<PhoneNumber>,
) -> Result<Rows<SuppressedNumber, PhoneNumber>, StoreError> {
    Select::new(
        "SELECT list_id, number, until, added_at FROM suppressed_number WHERE tenant_id = $1 AND list_id = $2",
        values![tenant, list],
    )
    .and_if("number > ?", page.after)
    .page(tx, "number", page, read_number, |entry| entry.number)
}

/// The customers on a list, in the order of their keys; those whose time is over too.
///
/// # Errors
/// The database failed.
pub fn customers(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    list: SuppressionListId,
    page: &Page<String>,
) -> Result<Rows<SuppressedCustomer, String>, StoreError> {
    Select::new(
        "SELECT list_id, external_id, until, added_at FROM suppressed_customer WHERE tenant_id = $1 AND list_id = $2",
        values![tenant, list],
    )
    .and_if("external_id > ?", page.after.as_deref())
    .page(tx, "external_id", page, read_customer, |entry| entry.external_id.clone())
}

/// The lists a number is on, those whose time is over too.
///
/// # Errors
/// The database failed.
pub fn lists_of_number(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    number: PhoneNumber,
) -> Result<Vec<SuppressedNumber>, StoreError> {
    tx.query(
        "SELECT list_id, number, until, added_at FROM suppressed_number
         WHERE number = $1 AND tenant_id = $2 ORDER BY list_id",
        &values![number, tenant],
    )?
    .iter()
    .map(read_number)
    .collect()
}

/// The entry that forbids dialling a number now, if one of these lists has one.
///
/// # Errors
/// The database failed; then the number must not be dialled.
pub fn check(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    lists: &[SuppressionListId],
    number: PhoneNumber,
    now: Time,
) -> Result<Option<SuppressedNumber>, StoreError> {
    let entries = lists_of_number(tx, tenant, number)?;
    Ok(entries
        .into_iter()
        .find(|entry| lists.contains(&entry.list) && entry.until.is_none_or(|until| until > now)))
}

/// The entry that forbids calling a customer now, if one of these lists has one.
///
/// # Errors
/// The database failed; then the customer must not be called.
pub fn check_customer(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    lists: &[SuppressionListId],
    external_id: &str,
    now: Time,
) -> Result<Option<SuppressedCustomer>, StoreError> {
    let sql = "SELECT list_id, external_id, until, added_at FROM suppressed_customer
               WHERE list_id = $1 AND external_id = $2 AND tenant_id = $3 AND (until IS NULL OR until > $4)";
    for list in lists {
        if let Some(row) = tx.query_one(sql, &values![*list, external_id, tenant, now])? {
            return read_customer(&row).map(Some);
        }
    }
    Ok(None)
}
