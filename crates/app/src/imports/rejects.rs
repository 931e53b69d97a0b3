//! Rejected rows: how they are kept, and the file in which they come back.

use std::io::{self, BufWriter, Write};

use contacts::{
    BrokenRow, FileFormat, ReadRow, RecordError, RecordErrorCode, RejectsWriter, Row, RowContent,
};
use csv::StringRecord;
use engine::{ImportId, TenantId};
use store::records::imports::{self as rows, Reject};
use store::records::{PAGE_ROWS_MAX, Page, Rows};
use store::{Store, without_nul};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::settings::Settings;
use crate::AppError;
use crate::intake::RecordResult;

/// Pieces of a file that may wait for a reader who is slow.
const PIECES_WAITING: usize = 4;
/// Length of such a piece.
const PIECE_BYTES: usize = 64 * 1024;

/// A file of rejected records on its way to whoever asked for it.
pub struct RejectsFile {
    /// Its media type.
    pub media_type: &'static str,
    /// What it is to be called.
    pub file_name: String,
    /// Its bytes, piece by piece. After an error nothing more comes.
    pub pieces: mpsc::Receiver<Result<Vec<u8>, AppError>>,
}

/// A rejected row as it is kept. Rows of a table are kept as a JSON list of cells, which no delimiter, quote or line
/// break in them can spoil.
pub(super) fn reject(read: &ReadRow, result: &RecordResult) -> Reject {
    let raw = match read {
        ReadRow::Whole(Row { content: RowContent::Cells(cells), .. }) => {
            serde_json::Value::from_iter(cells.iter()).to_string()
        }
        ReadRow::Whole(Row { content: RowContent::Json(text), .. }) => without_nul(text),
        ReadRow::Broken(broken) => without_nul(&broken.text),
    };
    let code = result.code.unwrap_or(RecordErrorCode::BrokenRow);
    Reject {
        row: result.row,
        code: code.as_str().to_owned(),
        field: without_nul(result.field.as_deref().unwrap_or_default()),
        message: without_nul(result.message.as_deref().unwrap_or_default()),
        raw,
    }
}

/// What is known of a rejected row.
pub(super) enum RowText {
    /// Its cells.
    Cells(Vec<String>),
    /// Its text.
    Text(String),
}

pub(super) fn row_text(reject: &Reject) -> RowText {
    // A broken row and a line of JSON are kept as text, and neither is a list of texts: a line that is one is no
    // contact, and of a broken one its cells are as good as its text.
    match serde_json::from_str(&reject.raw) {
        Ok(cells) => RowText::Cells(cells),
        Err(_) => RowText::Text(reject.raw.clone()),
    }
}

/// Starts to write the file; it is read from the database page by page as it is taken.
pub(super) fn file(store: Store, tenant: TenantId, import: ImportId, settings: Settings) -> RejectsFile {
    let (sender, pieces) = mpsc::channel(PIECES_WAITING);
    let (media_type, ending) = match settings.format {
        FileFormat::Csv { .. } => ("text/csv; charset=utf-8", "csv"),
        FileFormat::Ndjson => ("application/x-ndjson", "ndjson"),
    };
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        if let Err(Some(error)) = write_file(&store, &runtime, tenant, import, &settings, &sender) {
            let _ = sender.blocking_send(Err(error));
        }
    });
    RejectsFile { media_type, file_name: format!("rejects-{import}.{ending}"), pieces }
}

/// `Err(None)` says that nobody takes the file any more.
fn write_file(
    store: &Store,
    runtime: &Handle,
    tenant: TenantId,
    import: ImportId,
    settings: &Settings,
    sender: &mpsc::Sender<Result<Vec<u8>, AppError>>,
) -> Result<(), Option<AppError>> {
    let gone = |_: io::Error| None;
    let output = BufWriter::with_capacity(PIECE_BYTES, Pieces(sender.clone()));
    let mut file = RejectsWriter::new(output, settings.format, &settings.headings).map_err(gone)?;
    let mut page = Page::first(PAGE_ROWS_MAX);
    loop {
        let read = store.read(move |tx| rows::rejects(tx, tenant, import, &page));
        let Rows { rows, next } = runtime.block_on(read).map_err(|error| Some(error.into()))?;
        for reject in &rows {
            write_row(&mut file, reject, settings.format).map_err(gone)?;
        }
        match next {
            Some(row) => page = Page::after(row, PAGE_ROWS_MAX),
            None => return file.finish().and_then(|mut output| output.flush()).map_err(gone),
        }
    }
}

fn write_row(
    file: &mut RejectsWriter<BufWriter<Pieces>>,
    reject: &Reject,
    format: FileFormat,
) -> io::Result<()> {
    let code = serde_json::from_value(reject.code.as_str().into()).unwrap_or(RecordErrorCode::BrokenRow);
    let field = Some(reject.field.clone()).filter(|field| !field.is_empty());
    let error = RecordError { code, field, message: reject.message.clone().into() };
    let content = match (format, row_text(reject)) {
        (FileFormat::Csv { .. }, RowText::Cells(cells)) => RowContent::Cells(StringRecord::from(cells)),
        (FileFormat::Csv { .. }, RowText::Text(text)) => {
            return file.write_broken(&BrokenRow { number: reject.row, text, error });
        }
        (FileFormat::Ndjson, _) => RowContent::Json(reject.raw.clone()),
    };
    file.write_row(&Row { number: reject.row, content }, &error)
}

/// Hands what is written on to the reader.
struct Pieces(mpsc::Sender<Result<Vec<u8>, AppError>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(bytes.to_vec()));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
