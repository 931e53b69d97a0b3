//! Pages by key: the next page starts after the last row of the one before, so its cost does not grow with its place.

use std::fmt;

use crate::{Row, StoreError, Tx, Value};

/// Rows in a page at most.
pub const PAGE_ROWS_MAX: u32 = 1000;

/// Which rows are wanted: those after a cursor, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<C> {
    /// The cursor that came with the page before; none for the first page.
    pub after: Option<C>,
    /// How many rows, 1 to [`PAGE_ROWS_MAX`]; what is outside is taken as the nearest bound.
    pub limit: u32,
}

impl<C> Page<C> {
    /// The first page.
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    /// The page after `cursor`.
    pub fn after(cursor: C, limit: u32) -> Self {
        Self { after: Some(cursor), limit }
    }

    fn rows(&self) -> u32 {
        self.limit.clamp(1, PAGE_ROWS_MAX)
    }
}

/// One page of rows.
#[derive(Clone, PartialEq, Eq)]
pub struct Rows<T, C> {
    /// The rows, in order.
    pub rows: Vec<T>,
    /// Where the next page starts; none if this is the last one.
    pub next: Option<C>,
}

impl<T, C> fmt::Debug for Rows<T, C> {
    /// The rows may hold personal data, so only their number is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("rows", &self.rows.len()).field("more", &self.next.is_some()).finish()
    }
}

/// A `SELECT` that grows by the conditions that are asked for, so that the database plans for those alone.
pub(crate) struct Select {
    sql: String,
    values: Vec<Value>,
}

impl Select {
    /// Starts with text that has a `WHERE`, and the values of its `$1, $2 …`.
    pub(crate) fn new(sql: impl Into<String>, values: impl Into<Vec<Value>>) -> Self {
        Self { sql: sql.into(), values: values.into() }
    }

    /// Adds `AND condition`; each `?` in it stands for the next of `values`.
    pub(crate) fn and<const N: usize>(mut self, condition: &str, values: [Value; N]) -> Self {
        let mut values = values.into_iter();
        self.sql.push_str(" AND ");
        for part in condition.split_inclusive('?') {
            match part.strip_suffix('?') {
                Some(text) => {
                    self.values.extend(values.next());
                    self.sql.push_str(&format!("{text}${}", self.values.len()));
                }
                None => self.sql.push_str(part),
            }
        }
        self
    }

    /// Adds the condition if there is a value for it.
    pub(crate) fn and_if<T: Into<Value>>(self, condition: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.and(condition, [value.into()]),
            None => self,
        }
    }

    /// Reads one page; `cursor` tells where a row stands, in the terms of `order`.
    pub(crate) fn page<T, C>(
        mut self,
        tx: &mut Tx<'_>,
        order: &str,
        page: &Page<C>,
        read: impl Fn(&Row) -> Result<T, StoreError>,
        cursor: impl Fn(&T) -> C,
    ) -> Result<Rows<T, C>, StoreError> {
        let limit = page.rows();
        // One row more than asked for tells whether there is a next page.
        self.values.push(Value::Integer(i64::from(limit) + 1));
        self.sql.push_str(&format!(" ORDER BY {order} LIMIT ${}", self.values.len()));
        let found = tx.query(&self.sql, &self.values)?;
        let more = found.len() > limit as usize;
        let rows = found.iter().take(limit as usize).map(read).collect::<Result<Vec<T>, _>>()?;
        let next = if more { rows.last().map(cursor) } else { None };
        Ok(Rows { rows, next })
    }
}
