package clickhouse

// InBatchesOf reads the totals of so many kinds at once.
func (l *Lake) InBatchesOf(kinds uint64) { l.atOnce = kinds }

// OneWorker decodes one file after the other.
func (l *Lake) OneWorker() { l.workers = 1 }
