// Opening, identity, metas, and writes by ingestion.
#include "libs/store/database.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/base/status.h"
#include "libs/store/rocks.h"
#include "libs/store/store.h"
#include "libs/store/store_format.h"

namespace halles::store {
namespace {

absl::Status Damaged(absl::string_view what) { return Failure(absl::StatusCode::kDataLoss, "STORE_DAMAGED", what); }

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path, const InstallId& install,
                                                         size_t block_cache_bytes, bool create) {
  rocksdb::Options options = RocksOptions(block_cache_bytes);
  options.create_if_missing = create;
  options.error_if_exists = create;
  auto database = std::unique_ptr<Database>(new Database(path, options));
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, &db);
  RETURN_IF_ERROR(FromRocks(status, "STATE_DIR_UNUSABLE", absl::StrCat("cannot open the state store in ", path)));
  database->db_.reset(db);
  if (create) {
    const auto identify = [&](rocksdb::SstFileWriter& file) {
      return FromRocks(file.Put(IdentityKey(), EncodeIdentity({kStoreFormatVersion, install})), "STATE_DIR_UNUSABLE",
                       "cannot write the identity of the state store");
    };
    RETURN_IF_ERROR(database->Write(identify, [] { return absl::OkStatus(); }));
  }
  RETURN_IF_ERROR(database->CheckIdentity(install));
  return database;
}

absl::Status Database::CheckIdentity(const InstallId& install) {
  std::string bytes;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), IdentityKey(), &bytes);
  if (status.IsNotFound()) return Damaged(absl::StrCat("the state store in ", path_, " has no identity"));
  RETURN_IF_ERROR(FromRocks(status, "STATE_DIR_UNUSABLE", "cannot read the identity of the state store"));
  const std::optional<Identity> identity = DecodeIdentity(bytes);
  if (!identity.has_value())
    return Damaged(absl::StrCat("the identity of the state store in ", path_, " is unreadable"));
  if (identity->format > kStoreFormatVersion) {
    return Failure(absl::StatusCode::kFailedPrecondition, "NEWER_STORE_FORMAT",
                   absl::StrCat("the state store in ", path_, " has format ", identity->format,
                                "; this build reads up to ", kStoreFormatVersion),
                   {{"found", absl::StrCat(identity->format)}, {"supported", absl::StrCat(kStoreFormatVersion)}});
  }
  if (identity->install != install) {
    return Failure(absl::StatusCode::kFailedPrecondition, "FOREIGN_STORE",
                   absl::StrCat("the state store in ", path_, " belongs to install ", identity->install.Hex(),
                                ", the log to ", install.Hex()),
                   {{"found", identity->install.Hex()}, {"expected", install.Hex()}});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<FoldMeta>> Database::Meta(const FoldId& fold) const {
  std::string bytes;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), MetaKey(fold), &bytes);
  if (status.IsNotFound()) return std::nullopt;
  RETURN_IF_ERROR(FromRocks(status, "STORE_READ_FAILED", "cannot read a meta row"));
  std::optional<FoldMeta> meta = DecodeMeta(bytes);
  if (!meta.has_value()) return Damaged(absl::StrCat("the meta row of ", fold.ToString(), " is unreadable"));
  return meta;
}

absl::StatusOr<std::map<FoldId, FoldMeta>> Database::Metas(const rocksdb::Snapshot* snapshot) const {
  std::map<FoldId, FoldMeta> metas;
  const std::string prefix = MetaPrefix();
  const std::string end = PrefixEnd(prefix);
  const rocksdb::Slice end_slice(end);
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  options.total_order_seek = true;
  options.iterate_upper_bound = &end_slice;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options));
  for (it->Seek(prefix); it->Valid(); it->Next()) {
    const std::optional<FoldId> fold = DecodeMetaKey(ToView(it->key()));
    std::optional<FoldMeta> meta = DecodeMeta(ToView(it->value()));
    if (!fold.has_value() || !meta.has_value()) return Damaged("a meta row is unreadable");
    metas.emplace(*fold, *std::move(meta));
  }
  RETURN_IF_ERROR(FromRocks(it->status(), "STORE_READ_FAILED", "cannot read the meta rows"));
  return metas;
}

absl::StatusOr<bool> Database::HasMetas(const RowSpace& space) const {
  const std::string prefix = MetaPrefix(space);
  const std::string end = PrefixEnd(prefix);
  const rocksdb::Slice end_slice(end);
  rocksdb::ReadOptions options;
  options.total_order_seek = true;
  options.iterate_upper_bound = &end_slice;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options));
  it->Seek(prefix);
  RETURN_IF_ERROR(FromRocks(it->status(), "STORE_READ_FAILED", "cannot read the meta rows"));
  return it->Valid();
}

absl::Status Database::Write(absl::FunctionRef<absl::Status(rocksdb::SstFileWriter&)> fill,
                             absl::FunctionRef<absl::Status()> before_ingest) {
  const std::string file = absl::StrCat(path_, ".sst");
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  const auto write = [&]() -> absl::Status {
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options_);
    RETURN_IF_ERROR(FromRocks(writer.Open(file), "STORE_WRITE_FAILED", "cannot create a file of rows"));
    RETURN_IF_ERROR(fill(writer));
    RETURN_IF_ERROR(FromRocks(writer.Finish(), "STORE_WRITE_FAILED", "cannot write a file of rows"));
    RETURN_IF_ERROR(before_ingest());
    rocksdb::IngestExternalFileOptions ingest;
    ingest.move_files = true;
    ingest.failed_move_fall_back_to_copy = true;
    ingest.write_global_seqno = false;
    return FromRocks(db_->IngestExternalFile({file}, ingest), "STORE_WRITE_FAILED", "cannot ingest a file of rows");
  };
  absl::Status status = write();
  std::filesystem::remove(file, ignored);
  return status;
}

void Database::Resume() { db_->Resume().PermitUncheckedError(); }

}  // namespace halles::store
