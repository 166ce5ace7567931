use bson::Document;
use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition,
    WriteTransaction,
};

use super::{StorageResult, document_key};
use crate::{
    oplog::{OpTime, OplogEntry},
    query::Filter,
};

type DocumentKey = (&'static str, &'static [u8]);
const DOCUMENTS: TableDefinition<DocumentKey, &[u8]> = TableDefinition::new("documents");
const CATALOG: TableDefinition<&str, &[u8]> = TableDefinition::new("catalog");
/// Well below what a message may hold.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
const OPLOG: TableDefinition<u64, &[u8]> = TableDefinition::new("oplog");

/// The tables of one transaction.
pub struct View<D, C, O> {
    documents: D,
    catalog: C,
    oplog: O,
    /// By how much this transaction has made the oplog longer.
    oplog_growth: i64,
}

/// A snapshot.
pub type ReadView = View<
    ReadOnlyTable<DocumentKey, &'static [u8]>,
    ReadOnlyTable<&'static str, &'static [u8]>,
    ReadOnlyTable<u64, &'static [u8]>,
>;

/// The transaction of one journal flush.
pub type WriteView<'t> = View<
    Table<'t, DocumentKey, &'static [u8]>,
    Table<'t, &'static str, &'static [u8]>,
    Table<'t, u64, &'static [u8]>,
>;

/// Number and bytes of documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// How many.
    pub count: u64,
    /// Their bytes as BSON.
    pub bytes: u64,
}

impl Size {
    fn add(&mut self, document: &[u8]) {
        self.count += 1;
        self.bytes += document.len() as u64;
    }
}

/// Makes the tables, so that snapshots find them.
pub(super) fn create(db: &Database) -> StorageResult<()> {
    let transaction = db.begin_write()?;
    drop(WriteView::open(&transaction)?);
    transaction.commit()?;
    Ok(())
}

fn decode(bytes: &[u8]) -> StorageResult<Document> {
    Ok(Document::from_reader(bytes)?)
}

impl ReadView {
    pub(super) fn open(db: &Database) -> StorageResult<Self> {
        let transaction: ReadTransaction = db.begin_read()?;
        Ok(Self {
            documents: transaction.open_table(DOCUMENTS)?,
            catalog: transaction.open_table(CATALOG)?,
            oplog: transaction.open_table(OPLOG)?,
            oplog_growth: 0,
        })
    }
}

impl<D, C, O> View<D, C, O>
where
    D: ReadableTable<DocumentKey, &'static [u8]>,
    C: ReadableTable<&'static str, &'static [u8]>,
    O: ReadableTable<u64, &'static [u8]>,
{
    /// The document of `ns` with a key from [`document_key`].
    pub fn get(&self, ns: &str, key: &[u8]) -> StorageResult<Option<Document>> {
        self.documents.get((ns, key))?.map(|bytes| decode(bytes.value())).transpose()
    }

    /// The document of `ns` with this `_id`.
    pub fn get_by_id(&self, ns: &str, id: &bson::Bson) -> StorageResult<Option<Document>> {
        self.get(ns, &document_key(id))
    }

    /// Calls `each` with key and document, in `_id` order, until it says `false`.
    pub fn scan(&self, ns: &str, mut each: impl FnMut(&[u8], Document) -> bool) -> StorageResult<()> {
        let end = format!("{ns}\0");
        let from: (&str, &[u8]) = (ns, &[]);
        let to: (&str, &[u8]) = (&end, &[]);
        for entry in self.documents.range(from..to)? {
            let (key, value) = entry?;
            if !each(key.value().1, decode(value.value())?) {
                break;
            }
        }
        Ok(())
    }

    /// All documents of `ns`, in `_id` order.
    pub fn all(&self, ns: &str) -> StorageResult<Vec<Document>> {
        let mut documents = Vec::new();
        self.scan(ns, |_, document| {
            documents.push(document);
            true
        })?;
        Ok(documents)
    }

    /// The documents of `ns` that fit, in `_id` order, at most `limit`.
    pub fn matching(&self, ns: &str, filter: &Filter, limit: Option<usize>) -> StorageResult<Vec<Document>> {
        if let Some(id) = filter.id() {
            return Ok(self.get_by_id(ns, id)?.filter(|document| filter.matches(document)).into_iter().collect());
        }
        let mut found = Vec::new();
        self.scan(ns, |_, document| {
            if filter.matches(&document) {
                found.push(document);
            }
            limit.is_none_or(|limit| found.len() < limit)
        })?;
        Ok(found)
    }

    /// Number and bytes of the documents of `ns`.
    pub fn measure(&self, ns: &str) -> StorageResult<Size> {
        let end = format!("{ns}\0");
        let from: (&str, &[u8]) = (ns, &[]);
        let to: (&str, &[u8]) = (&end, &[]);
        let mut size = Size::default();
        for entry in self.documents.range(from..to)? {
            size.add(entry?.1.value());
        }
        Ok(size)
    }

    /// Number and bytes of the oplog's entries.
    pub fn measure_oplog(&self) -> StorageResult<Size> {
        let mut size = Size::default();
        for entry in self.oplog.iter()? {
            size.add(entry?.1.value());
        }
        Ok(size)
    }

    /// Options and indexes of a collection, if it exists.
    pub fn collection(&self, ns: &str) -> StorageResult<Option<Document>> {
        self.catalog.get(ns)?.map(|bytes| decode(bytes.value())).transpose()
    }

    /// Every collection's namespace and catalog entry.
    pub fn collections(&self) -> StorageResult<Vec<(String, Document)>> {
        let mut found = Vec::new();
        for entry in self.catalog.iter()? {
            let (ns, value) = entry?;
            found.push((ns.value().to_owned(), decode(value.value())?));
        }
        Ok(found)
    }

    /// The newest oplog entry's optime, or the null optime.
    pub fn oplog_head(&self) -> StorageResult<OpTime> {
        match self.oplog.last()? {
            Some((_, value)) => Ok(OplogEntry::optime_of(&decode(value.value())?)),
            None => Ok(OpTime::NULL),
        }
    }

    /// Oplog entries from `ts` on, oldest first, at most `limit`.
    pub fn oplog_from(&self, ts: u64, limit: usize) -> StorageResult<Vec<Document>> {
        let range = self.oplog.range(ts..)?;
        range.take(limit).map(|entry| decode(entry?.1.value())).collect()
    }

    /// As [`Self::oplog_from`], as many as fit into a message.
    pub fn oplog_batch(&self, ts: u64, limit: usize) -> StorageResult<Vec<Document>> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        for entry in self.oplog.range(ts..)?.take(limit) {
            let (_, entry) = entry?;
            bytes += entry.value().len();
            if bytes > BATCH_BYTES && !batch.is_empty() {
                break;
            }
            batch.push(decode(entry.value())?);
        }
        Ok(batch)
    }

    /// Oplog entries with timestamps above `ts`, newest first.
    pub fn oplog_after_reversed(&self, ts: u64) -> StorageResult<Vec<Document>> {
        let range = self.oplog.range(ts.saturating_add(1)..)?;
        range.rev().map(|entry| decode(entry?.1.value())).collect()
    }

    /// The newest entries, newest first.
    pub fn oplog_newest(&self, limit: usize) -> StorageResult<Vec<Document>> {
        self.oplog.iter()?.rev().take(limit).map(|entry| decode(entry?.1.value())).collect()
    }

    /// The oplog entry at `ts`.
    pub fn oplog_at(&self, ts: u64) -> StorageResult<Option<Document>> {
        self.oplog.get(ts)?.map(|bytes| decode(bytes.value())).transpose()
    }
}

impl<'t> WriteView<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> StorageResult<Self> {
        Ok(Self {
            documents: transaction.open_table(DOCUMENTS)?,
            catalog: transaction.open_table(CATALOG)?,
            oplog: transaction.open_table(OPLOG)?,
            oplog_growth: 0,
        })
    }

    /// Stores a document under its `_id`, and its collection if that is new.
    pub fn put(&mut self, ns: &str, document: &Document) -> StorageResult<()> {
        let key = document_key(document.get("_id").unwrap_or(&bson::Bson::Null));
        if self.catalog.get(ns)?.is_none() {
            self.put_collection(ns, &Document::new())?;
        }
        self.documents.insert((ns, key.as_slice()), document.to_vec()?.as_slice())?;
        Ok(())
    }

    /// Removes the document with this `_id`, if it is there.
    pub fn delete(&mut self, ns: &str, id: &bson::Bson) -> StorageResult<()> {
        self.documents.remove((ns, document_key(id).as_slice()))?;
        Ok(())
    }

    /// Stores a collection's catalog entry.
    pub fn put_collection(&mut self, ns: &str, entry: &Document) -> StorageResult<()> {
        self.catalog.insert(ns, entry.to_vec()?.as_slice())?;
        Ok(())
    }

    /// Removes a collection and its documents.
    pub fn drop_collection(&mut self, ns: &str) -> StorageResult<()> {
        let mut keys = Vec::new();
        self.scan(ns, |key, _| {
            keys.push(key.to_vec());
            true
        })?;
        for key in keys {
            self.documents.remove((ns, key.as_slice()))?;
        }
        self.catalog.remove(ns)?;
        Ok(())
    }

    /// Appends an oplog entry at its own timestamp.
    pub fn append(&mut self, entry: &OplogEntry) -> StorageResult<()> {
        let bytes = entry.to_document().to_vec()?;
        self.oplog_growth += bytes.len() as i64;
        if let Some(before) = self.oplog.insert(entry.optime.ts, bytes.as_slice())? {
            self.oplog_growth -= before.value().len() as i64;
        }
        Ok(())
    }

    /// Removes the oplog entry at `ts`.
    pub fn remove_entry(&mut self, ts: u64) -> StorageResult<()> {
        if let Some(before) = self.oplog.remove(ts)? {
            self.oplog_growth -= before.value().len() as i64;
        }
        Ok(())
    }

    /// By how many bytes this transaction has made the oplog longer.
    pub(super) fn oplog_growth(&self) -> i64 {
        self.oplog_growth
    }

    /// Removes the oldest entries before `pinned` that hold at least `excess` bytes together, and never the newest.
    pub(super) fn truncate_oplog(&mut self, excess: i64, pinned: u64) -> StorageResult<()> {
        let before = self.oplog_growth;
        while before - self.oplog_growth < excess {
            let oldest = self.oplog.first()?.map(|(ts, _)| ts.value());
            let newest = self.oplog.last()?.map(|(ts, _)| ts.value());
            match oldest {
                Some(ts) if ts < pinned && oldest != newest => self.remove_entry(ts)?,
                _ => break,
            }
        }
        Ok(())
    }

    /// Removes everything but the databases that belong to this node alone: what initial sync
    /// starts from.
    pub fn clear_replicated(&mut self) -> StorageResult<()> {
        for (ns, _) in self.collections()? {
            if !ns.starts_with("local.") {
                self.drop_collection(&ns)?;
            }
        }
        let growth = &mut self.oplog_growth;
        self.oplog.retain(|_, entry| {
            *growth -= entry.len() as i64;
            false
        })?;
        Ok(())
    }
}
