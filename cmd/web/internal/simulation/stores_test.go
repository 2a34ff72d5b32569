package simulation_test

import (
	"testing"
	"time"

	"headway/cmd/web/internal/simulation"
	"headway/eventstore"
	"headway/eventstore/storetest"
	"headway/projections"
	"headway/projections/history"
	"headway/projections/history/historytest"
	"headway/projections/readtest"
)

// What is simulated must promise what the real thing promises, or the simulation shows nothing.

func TestTheLogKeepsTheContractOfEventStores(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Place { return logPlace{simulation.NewLog()} })
}

type logPlace struct{ log *simulation.Log }

func (p logPlace) Open(_ *testing.T, clock func() time.Time) storetest.Store {
	return p.log.Open(clock)
}
func (p logPlace) Copy(*testing.T) storetest.Place                  { return logPlace{p.log.Copy()} }
func (p logPlace) Plant(_ *testing.T, records ...eventstore.Record) { p.log.Plant(records...) }

func TestTheRowsKeepTheContractOfReadStores(t *testing.T) {
	readtest.Run(t, func(*testing.T) readtest.Place {
		rows := simulation.NewTable()
		return readtest.Place{Open: func(*testing.T) projections.Store { return rows.Open() }}
	})
}

func TestTheHistoryKeepsTheContractOfHistories(t *testing.T) {
	historytest.Run(t, func(*testing.T) func(*testing.T) history.Store {
		kept := simulation.NewHistory()
		return func(*testing.T) history.Store { return kept.Open() }
	})
}
