// The CSV reader: one scan finds the fields; then quotes are removed in place.
#include "services/hallesctl/import/csv.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status.h"

namespace halles::hallesctl {
namespace {

constexpr size_t kChunkBytes = 1 << 20;
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

CsvReader::CsvReader(int fd, std::string text, std::string path)
    : fd_(fd), path_(std::move(path)), at_end_(fd < 0), buffer_(std::move(text)) {
  if (absl::StartsWith(buffer_, kByteOrderMark)) begin_ = kByteOrderMark.size();
}

CsvReader::~CsvReader() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::unique_ptr<CsvReader>> CsvReader::OpenFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const absl::StatusCode code = errno == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kPermissionDenied;
    return Failure(code, "FILE_NOT_READABLE", absl::StrCat("cannot open ", path, ": ", std::strerror(errno)));
  }
  std::unique_ptr<CsvReader> reader(new CsvReader(fd, "", path));
  RETURN_IF_ERROR(reader->Refill());
  if (absl::StartsWith(reader->buffer_, kByteOrderMark)) reader->begin_ = kByteOrderMark.size();
  return reader;
}

std::unique_ptr<CsvReader> CsvReader::FromString(std::string text) {
  return std::unique_ptr<CsvReader>(new CsvReader(-1, std::move(text), "text"));
}

absl::Status CsvReader::Refill() {
  consumed_ += begin_;
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t kept = buffer_.size();
  buffer_.resize(kept + kChunkBytes);
  size_t filled = kept;
  while (filled < buffer_.size()) {
    const ssize_t got = read(fd_, buffer_.data() + filled, buffer_.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return Failure(absl::StatusCode::kDataLoss, "FILE_NOT_READABLE",
                     absl::StrCat("cannot read ", path_, ": ", std::strerror(errno)));
    }
    if (got == 0) {
      at_end_ = true;
      break;
    }
    filled += static_cast<size_t>(got);
  }
  buffer_.resize(filled);
  return absl::OkStatus();
}

CsvReader::Scan CsvReader::ScanRecord(CsvRecord* record) {
  const char* const data = buffer_.data();
  const size_t size = buffer_.size();
  fields_.clear();
  size_t at = begin_;
  int64_t line = line_;
  CsvFault fault = CsvFault::kNone;
  for (bool in_record = true; in_record;) {
    Field field{at, at, false, false};
    if (at < size && data[at] == '"') {
      field.quoted = true;
      field.begin = ++at;
      for (;;) {
        const void* found = std::memchr(data + at, '"', size - at);
        const size_t quote = found == nullptr ? size : static_cast<size_t>(static_cast<const char*>(found) - data);
        for (size_t i = at; i < quote; ++i) line += data[i] == '\n';
        if (quote - begin_ > kRecordBytesMax || line - line_ >= kRecordLinesMax || (quote == size && at_end_)) {
          fault = CsvFault::kUnterminatedQuote;
          break;
        }
        if (quote + 1 >= size && !at_end_) return Scan::kMore;
        at = quote + 1;
        if (at < size && data[at] == '"') {
          field.doubled = true;
          ++at;
          continue;
        }
        field.end = quote;
        break;
      }
      if (fault != CsvFault::kNone) break;
    } else {
      while (at < size && data[at] != ',' && data[at] != '\n') ++at;
      field.end = at;
    }
    if (at == size && !at_end_) {
      if (at - begin_ <= kRecordBytesMax) return Scan::kMore;
      fault = CsvFault::kTooLong;
      break;
    }
    if (field.quoted && at < size && data[at] == '\r' && (at + 1 == size || data[at + 1] == '\n')) {
      if (at + 1 == size && !at_end_) return Scan::kMore;
      ++at;
    }
    if (at < size && data[at] == ',') {
      ++at;
    } else if (at == size || data[at] == '\n') {
      if (!field.quoted && field.end > field.begin && data[field.end - 1] == '\r') --field.end;
      if (at < size) {
        ++at;
        ++line;
      }
      in_record = false;
    } else {
      fault = CsvFault::kStrayQuote;
      break;
    }
    fields_.push_back(field);
  }
  if (fault == CsvFault::kNone && at - begin_ > kRecordBytesMax) fault = CsvFault::kTooLong;
  record->line = line_;
  record->fault = fault;
  if (fault == CsvFault::kNone) {
    next_ = at;
    next_line_ = line;
    return Scan::kRecord;
  }
  const void* end = std::memchr(data + begin_, '\n', size - begin_);
  if (end == nullptr && !at_end_) return Scan::kMore;
  next_ = end == nullptr ? size : static_cast<size_t>(static_cast<const char*>(end) - data) + 1;
  next_line_ = line_ + 1;
  return Scan::kFault;
}

absl::StatusOr<bool> CsvReader::Next(CsvRecord* record) {
  record->fields.clear();
  for (;;) {
    if (begin_ == buffer_.size() && at_end_) return false;
    const Scan scan = ScanRecord(record);
    if (scan == Scan::kMore) {
      RETURN_IF_ERROR(Refill());
      continue;
    }
    begin_ = next_;
    line_ = next_line_;
    if (scan == Scan::kFault) return true;
    if (fields_.size() == 1 && !fields_[0].quoted && fields_[0].begin == fields_[0].end) continue;  // a blank line
    for (const Field& field : fields_) {
      size_t end = field.end;
      if (field.doubled) {
        end = field.begin;
        for (size_t i = field.begin; i < field.end; ++i) {
          buffer_[end++] = buffer_[i];
          if (buffer_[i] == '"') ++i;
        }
      }
      record->fields.emplace_back(buffer_.data() + field.begin, end - field.begin);
    }
    return true;
  }
}

}  // namespace halles::hallesctl
