package main

// mutations is the list. An entry that does not fit the code any more is an error of make check: say there what the code does now, in as few words of
// the file as stand there once.
func mutations() []mutation {
	return []mutation{
		// Durable, once, and in order.
		{"the log is not synced", "1", "eventstore/sqlite/writer.go", `"synchronous(FULL)"`, `"synchronous(NORMAL)"`, "eventstore/sqlite", "TestSyncBeforeAnswer"},
		{"what was left in the log is synced, but not written again", "1", "eventstore/sqlite/schema.go",
			`return rewriteLog(ctx, conn, path+"-wal")`, `_, err = conn.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	return err`, "eventstore/sqlite", "TestLogIsRewritten"},
		{"a commit that fails is answered with success", "1", "eventstore/sqlite/writer.go",
			"if err := w.do.commit.exec(ctx); err != nil {", "if err := w.do.commit.exec(ctx); err != nil && false {", "eventstore/sqlite", "TestTransactionFails"},
		{"a repeat is known only by the newest events", "2", "orders/execute.go",
			"if r.Metadata.CausationID == string(req.CommandID) {", "if r.Metadata.CausationID == string(req.CommandID) && r.Version > req.Expect {", "orders", "TestRepeat"},
		{"an order that was loaded for another command is believed", "2", "orders/snapshot.go",
			" && l.command == req.CommandID", "", "orders", "TestLoadedBefore"},
		{"the name of a new data folder is not synced", "1", "cmd/web/stores.go",
			"err = syncFolder(parent)", "_ = parent", "cmd/web", "TestProgram/syncs_before_it_answers"},
		{"what was found in a read store is believed of another", "7", "projections/arrivals.go",
			"h.known, h.asked = nil, false", "h.known = nil", "projections", "TestWhereAProjectionIsInAnOrder"},
		{"a command id may mean something else", "2", "orders/execute.go",
			"if mine != nil && mine[0].Metadata.CommandHash != hash {", "if false {", "orders", "TestOtherContent"},
		{"a second import makes the orders again", "2", "cmd/web/internal/plan/plan.go",
			"ids[i] = domain.CommandID(uuid.NewSHA1(p.Namespace, []byte(name)).String())", "_ = name\n\t\tids[i] = domain.CommandID(uuid.NewString())", "cmd/web", "TestImportMessyFile"},
		{"a file of the first layout is not opened", "1", "eventstore/sqlite/schema.go", "DROP INDEX IF EXISTS ids;", "DROP INDEX ids;",
			"cmd/web", "TestEarlierLayouts/sqlite-1a"},
		{"a stored event can be changed", "3", "eventstore/sqlite/schema.go", "SELECT RAISE(ABORT, 'a stored event never changes');", "SELECT 1;", "eventstore/sqlite", "TestHistoryStays"},
		{"a gap in an order's versions is folded over", "3", "domain/order.go", "if version != o.Version+1 {", "if version <= o.Version {", "domain", "TestWhatLeavesNoMeaningfulOrderIsNotApplied"},
		{"the version is not compared before a write", "4", "eventstore/sqlite/writer.go", "if head != c.expect {", "if head < c.expect {", "eventstore/sqlite", "TestStore/conflicts"},
		{"half a command stays after its neighbour's commit", "5", "eventstore/sqlite/writer.go",
			"errors.Join(w.do.rollbackTo.exec(ctx), w.do.release.exec(ctx))", "w.do.release.exec(ctx)", "eventstore/sqlite", "TestNeighboursInOneTransaction"},

		// What is worked on at once.
		{"a slow page keeps the others waiting", "pages", "cmd/web/console/turns.go", "late := time.AfterFunc(pageTurn, give)", "late := time.AfterFunc(turnWait, give)", "cmd/web/console", "TestPagesTakeTurns"},
		{"a row that one batch writes twice is not found", "6", "projections/sqlite/write.go", "if row.fresh {", "if row.fresh && row.version < 2 {",
			"projections/sqlite", "TestANumberFollowsTheStatus"},
		{"a row keeps the number of its old status", "6", "projections/sqlite/write.go", "row := stored{inPlace(old.no, r.Status),", "row := stored{max(old.no, inPlace(old.no, \"\")),",
			"projections/sqlite", "TestANumberFollowsTheStatus"},
		{"orders that found no place in their second are not looked for", "search", "projections/sqlite/condition.go", "return regions()\n\t}", "return regions()[:1]\n\t}",
			"projections/sqlite", "TestStoreKeepsItsContract/pages_of_orders_of_one_second"},
		{"readers wait in no order", "pages", "projections/sqlite/readers.go", "turns: make(chan struct{}, MaxReaders)", "turns: make(chan struct{}, 100*MaxReaders)",
			"projections/sqlite", "TestReadersWaitInOrder"},

		// On DynamoDB.
		{"a stored item may be replaced", "2", "eventstore/dynamo/append.go",
			`TableName: aws.String(s.events), Item: i, ConditionExpression: aws.String("attribute_not_exists(" + aggregateID + ")"),`,
			`TableName: aws.String(s.events), Item: i,`, "eventstore/dynamo", "TestOneOrderACommand"},
		{"an answer that was lost is forgotten", "1", "eventstore/dynamo/append.go",
			"c.unsure = c.unsure || err != nil && leavesOpen(err)", "c.unsure = false", "eventstore/dynamo", "TestALostAnswerBeforeARefusal"},

		// The feed, the walk and snapshots.
		{"the feed's cursor skips a move", "6", "eventstore/sqlite/read.go",
			"place = feedPlace{last.seq, last.mark()}", "place = feedPlace{last.seq + 1, last.mark()}", "eventstore/sqlite", "TestStore/feed"},
		{"a walk repeats the border of a page", "6", "eventstore/sqlite/read.go", "` AND f.seq > ? AND f.seq <= ?", "` AND f.seq >= ? AND f.seq <= ?", "eventstore/sqlite", "TestStore/walk"},
		{"a snapshot of another stream is believed", "3", "orders/snapshotdata.go",
			"return r.Version == c.version && r.EventID == c.eventID && r.StoredAt.UnixMicro() == c.storedAt", "return r.Version == c.version",
			"eventstore/sqlite", "TestStore/snapshots,_of_a_backup"},
		{"a snapshot made by other rules is believed", "3", "orders/snapshotdata.go",
			" || !bytes.HasPrefix(s.Data[sha256.Size:], rules[:])", "", "eventstore/sqlite", "TestStore/snapshots,_refused"},
		{"a snapshot forgets the commands it covers", "2", "orders/snapshot.go",
			`if command != "" && c.commands.has(command) {`, "if false {", "eventstore/sqlite", "TestStore/snapshots,_taken"},

		// Projections.
		{"the checkpoint is stored before the rows", "6", "projections/loop.go", "\tb.batch.After = l.checkpoint\n",
			"\tif b.batch.Checkpoint != \"\" {\n\t\t_ = l.read.Write(ctx, Batch{Projection: l.name, Epoch: l.role.epoch, After: l.checkpoint, Checkpoint: b.batch.Checkpoint})\n\t}\n" +
				"\tb.batch.After = l.checkpoint\n",
			"projections", "TestACrashBetweenAnyTwoWritesChangesNothing"},
		{"a gap in what was read is folded over", "6", "projections/fold.go", "if r.Version != at+1 {", "if false {", "projections", "TestAGapIsAskedAgainAndNotHeld"},
		{"verify reports no difference", "6", "projections/verify.go", "if len(v.report.Differences) >= MaxDifferences {", "if true {", "projections", "TestVerifyNamesEveryCorruption"},
		{"an item the node refused counts as written", "6", "projections/elastic/bulk.go",
			"case o.Status >= 200 && o.Status < 300:", "case o.Status >= 200 && o.Status < 500:", "projections/elastic", "FuzzBulkAnswer"},
		{"an older row replaces a newer one", "7", "projections/sqlite/write.go",
			"if found && old.version >= r.Version {", "if false {", "projections/sqlite", "TestStoreKeepsItsContract/versions_never_move_backwards"},
		{"what an order added before stays in its customer's sum", "6", "projections/sqlite/contributions.go",
			"from.add(old, -1)", "_ = from", "projections/sqlite", "TestStoreKeepsItsContract/customers_are_sums"},
		{"a word is taken for a name alone, though a product has it", "search", "projections/sqlite/walk.go",
			"if all == theirs {", "if all >= theirs {", "projections/sqlite", "TestStoreKeepsItsContract/pages_far_from_where_a_sort_begins"},
		{"the read store's log is never moved into the file", "12", "projections/sqlite/store.go",
			`fmt.Sprintf("wal_autocheckpoint(%d)", logPages)`, `fmt.Sprintf("wal_autocheckpoint(%d)", 0*logPages)`, "projections/sqlite", "TestTheLogIsMovedIntoTheFile"},
		{"an event that cannot be read stops the projection", "8", "projections/loop.go",
			"b.batch.Holds = append(b.batch.Holds, l.holdOf(work[i], *r.hold))", "return b, errors.New(r.hold.Reason)", "projections", "TestPoisonHoldsItsOwnOrderAndNothingElse"},
		{"a hold lets the later events pass", "8", "projections/fold.go",
			"return &orders.Hold{Version: r.Version, Reason: fault.Sentence(err)}, nil", "at = r.Version\n\t\t\tcontinue", "projections", "TestFoldsHoldAtWhatCannotBeApplied"},
		{"a holder that lost the lease may write", "lease", "projections/sqlite/write.go",
			"SELECT 1 FROM lease WHERE epoch > ?", "SELECT 1 FROM lease WHERE epoch > ? AND 0", "projections/sqlite", "TestStoreKeepsItsContract/a_stale_epoch_is_refused"},
		{"a lease is taken while its holder lives", "lease", "projections/lease.go",
			"leftOver || still >= leaseWaited:", "leftOver || still >= leaseRenewed:", "projections/sqlite", "TestStoreKeepsItsContract/a_lease_that_stands_still_is_taken_over"},

		// Freshness.
		{"a receipt waits for nobody", "receipt", "projections/arrivals.go", "if len(found) == len(p.loops) {\n\t\t\treturn found", "if true {\n\t\t\treturn found", "projections", "TestWaitForArrivals"},
		{"a head that moved meanwhile is as it was remembered", "11", "eventstore/sqlite/heads.go", "ok && e.Version > k.Version", "ok && e.Version < k.Version", "eventstore/sqlite",
			"TestHeadsAreThoseOfTheLog"},
		{"a row whose head is not known is current", "11", "projections/freshness.go", "s.State, s.Reason = StampUnknown, \"The event store did not say",
			"s.State, s.Reason = StampCurrent, \"The event store did not say", "projections", "TestStampsOfRows"},
		{"a page goes back to an older row", "7", "static/freshness.js", "const version = Math.max(item.version, frame.version);", "const version = frame.version;",
			"node", "property: what a page shows never goes backwards"},
		{"a page is current without contact", "11", "static/freshness.js", "if (state.contact === null || now - state.contact > silentAfter) return", "if (false) return",
			"node", "what has no answer within 12 s is unknown, and says why"},
		{"a page that missed something is current", "11", "static/freshness.js", "case 'resync': return { ...base, resync: true, answered: false, contact: now };",
			"case 'resync': return { ...base, contact: now };", "node", "a resync is unknown until the page was read again and its watch answered; frames meanwhile do not pass for it"},
		{"the hub forgets that it dropped frames", "11", "live/hub.go", "h.say(`{\"type\":\"resync\",`)", "h.say(`{\"type\":\"beat\",`)", "live",
			"TestAFloodForOneWhoDoesNotReadIsOneResync"},
		{"who was away too long is told nothing", "11", "live/hub.go", "c.next, c.resync = 0, true", "c.next = 0", "live", "TestWhoCannotResumeIsToldToResync"},

		{"a row that cannot be read is current", "10", "cmd/web/console/freshness.go",
			"return projections.Stamp{Head: head.Version, State: projections.StampUnknown, Reason", "return projections.Stamp{Head: head.Version, State: projections.StampCurrent, Reason",
			"cmd/web/console", "TestReadStoreAway"},

		// What the simulation has found: each mending is undone.
		{"holds are not looked at again", "11", "projections/follow.go",
			"if now.Sub(f.heldAt) < followHolds {", "if true {", "cmd/web", "TestSeeds/a_hold_that_another_process_released"},
		{"an order counts as new only if it is newer than all", "11", "cmd/web/internal/simulation/document.go",
			"if r.more && e.created != nil && (f.Beyond == nil || *e.created < *f.Beyond) {", "if e.created != nil && (f.Beyond == nil || *e.created > *f.Beyond) {", "cmd/web", "TestSeeds/an_order_that_first_arrived_at_version_2"},
		{"a row that left its list stays current", "11", "cmd/web/internal/simulation/document.go",
			"e.Left = !r.has(e.Projection, e.ID)", "e.Left = false", "cmd/web", "TestSeeds/rows_that_left_a_list"},
		{"a page whose heads are not known is not read again", "11", "cmd/web/internal/simulation/freshness.go",
			`if item.State == "unknown" && !item.Left {`, `if item.State == "x" {`, "cmd/web", "TestSeeds/heads_that_could_not_be_told"},
		{"the head of a row frame is for its row alone", "11", "cmd/web/internal/simulation/freshness.go",
			"defer s.headed(f, f.Head, now)", "", "cmd/web", "TestSeeds/a_newer_head_in_a_row_frame"},
		{"a page that slept believes what waited in its socket", "11", "cmd/web/internal/simulation/page.go",
			`p.see(Frame{Type: "tick", Wall: time.Now().UnixMilli()})
	if p.state.IsStale() { // it slept: what waited in the socket is no answer`, "if false {", "cmd/web", "TestSeeds/a_page_that_slept"},
		{"a socket stays at a process that did not read the page", "11", "cmd/web/internal/simulation/page.go",
			`case p.failed == 0 && p.socket != nil && p.hub != "" && p.hub != hubOf(p.state.since):`, "case false:", "cmd/web", "TestSeeds/a_socket_at_another_process"},
		{"moments of two processes are compared", "11", "static/freshness.js", "const comparable = frame.projection !== 'customer_order_summary' || ", "const comparable = true || ",
			"node", "a customer that another process read is taken, whatever the clocks of the two say"},
		{"holds are not known before the first page is read", "11", "projections/projector.go",
			"_ = p.follow.holds(ctx) // it is tried again", "", "cmd/web", "TestSeeds/a_hold_released_while_a_process_starts"},
		// Bounds.
		{"what is kept for slow clients has no end", "12", "live/ring.go", "for len(r.frames)-drop > ringFrames || r.bytes > ringBytes {", "for false {", "live",
			"TestWhoCannotResumeIsToldToResync"},
		{"the log's queue has no end", "12", "eventstore/sqlite/queue.go", "case len(q.waiting) >= MaxQueue || q.bytes+c.bytes > MaxQueueBytes:", "case false:", "eventstore/sqlite", "TestQueue"},
		{"a body has no end", "12", "cmd/web/console/security.go", "r.Body = http.MaxBytesReader(w, r.Body, MaxBodyBytes)\n", "", "cmd/web/console", "TestBadJSON"},
		{"a crowd of requests has no end", "12", "cmd/web/console/turns.go", "make(turns, MaxRequests)", "make(turns, 100*MaxRequests)", "cmd/web/console", "TestRequestsWaitTheirTurn"},
		{"a slow sender holds up the others", "12", "cmd/web/console/turns.go", "r.Body = readAhead(r.Body)", "_ = readAhead", "cmd/web/console", "TestRequestsWaitTheirTurn"},
		{"the names in a body have no end", "12", "cmd/web/console/input/body.go", "if len(at) > maxName {", "if false {", "cmd/web/console/input", "TestNamesAreBounded"},

		// Strangers.
		{"another site's page may open the live view", "origin", "live/client.go", "if !sameOrigin(r, h.origins) {", "if false {", "live", "TestTheHandshakeOverARealSocket"},
		{"another site's form is taken", "origin", "cmd/web/console/routes.go", "h = s.sameOrigin(h)\n", "", "cmd/web/console", "TestOtherSites"},
		{"another name may be pointed here", "origin", "cmd/web/console/routes.go", "h = s.knownHost(h)\n", "", "cmd/web/console", "TestOtherSites"},
		{"a customer's name is markup", "escape", "views/order_templ.go", "templ.EscapeString(templ_7745c5c3_Var57)", "templ_7745c5c3_Var57", "views", "TestTextIsNeverMarkup"},
		{"the text of a row is markup", "escape", "views/markup.go", "html.EscapeString(text)", "html.UnescapeString(text)", "views", "TestTextIsNeverMarkup"},

		// The domain.
		{"a dinar has two digits", "money", "domain/currency.go", "KWD3", "KWD2", "domain", "TestDigitsAreThoseOfISO4217"},
		{"half a cent is rounded down", "money", "domain/decode.go", "all[keep] >= '5'", "all[keep] > '5'", "domain", "TestDecimalsOfSchema1AreRoundedHalfAwayFromZeroByTheirDigits"},
		{"a sum overflows", "money", "domain/money.go", "if (n.Minor > 0 && sum < m.Minor) || (n.Minor < 0 && sum > m.Minor) {", "if false {", "domain", "TestSumsAndProductsThatDoNotFitAreInvalid"},
		{"an order mixes currencies", "money", "domain/check.go", "if item.Price.Currency != sum.Currency {", "if false {", "domain", "TestWhatOnlyTheOrderCanTellAboutAnItem"},
		{"a cancelled order is confirmed", "rule", "domain/confirm.go", "case o.Status == Created:", "case o.Status != Confirmed:", "domain", "TestCommandsInEveryPlaceOfAnOrdersLife"},
		{"an unknown field of an event is read over", "schema", "domain/decode.go", "if unknown != nil {", "if false {", "domain", "TestWhatCannotBeReadIsInvalidAndNamed"},
	}
}
