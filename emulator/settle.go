package emulator

import (
	"errors"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

const (
	statePending     = "Pending"
	stateActive      = "Active"
	stateFailed      = "Failed"
	updateInProgress = "InProgress"
	updateSuccessful = "Successful"
	updateFailed     = "Failed"
)

// beingCreated is the reason of both unsettled states (recorded from the real service, for updates too).
const beingCreated, codeCreating = "The function is being created.", "Creating"

// settleLater brings a function's new code and configuration up in the background. revision is the one to settle: if it has changed by then,
// the function was deleted or replaced. When the server is closing, the next program does it.
func (s *Server) settleLater(name, revision string) {
	s.background(func() { s.settle(name, revision) })
}

func (s *Server) settle(name, revision string) {
	if s.beforeSettle != nil {
		s.beforeSettle()
	}
	s.mu.Lock()
	f := s.functions[name]
	if f == nil || f.Config.RevisionId != revision {
		s.mu.Unlock()
		return
	}
	hash := f.Zip
	s.mu.Unlock()
	_, unpackErr := s.store.unpacked(hash)
	if s.ctx.Err() != nil {
		return
	}
	s.finish(name, revision, unpackErr)
	s.sweepCode()
}

// finish records how it went. After a failed update the function runs on as it was.
func (s *Server) finish(name, revision string, unpackErr error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[name]
	if f == nil || f.Config.RevisionId != revision {
		return
	}
	if unpackErr != nil {
		s.opts.Logger.Warn("code cannot be unpacked", "function", name, "error", unpackErr)
	}
	next := *f
	next.settled(unpackErr)
	if err := s.store.save(&next); err != nil {
		s.opts.Logger.Error("function was not saved", "function", name, "error", err)
	}
	*f = next
	if unpackErr == nil {
		s.fleet.retire(name, f.Live.ID)
	}
}

func (f *function) settled(unpackErr error) {
	reason, code := settleReason(unpackErr)
	creating := f.Config.State == statePending
	switch {
	case unpackErr == nil:
		f.Config.State, f.Config.LastUpdateStatus = stateActive, updateSuccessful
	case creating:
		f.Config.State = stateFailed
	default:
		f.Config, f.Zip = f.Live.Config.clone(), f.Live.Zip
		f.Config.State, f.Config.LastUpdateStatus = stateActive, updateFailed
	}
	f.Config.StateReason, f.Config.StateReasonCode = "", ""
	f.Config.LastUpdateStatusReason, f.Config.LastUpdateStatusReasonCode = "", ""
	if unpackErr != nil && creating {
		f.Config.StateReason, f.Config.StateReasonCode = reason, code
	} else if unpackErr != nil {
		f.Config.LastUpdateStatusReason, f.Config.LastUpdateStatusReasonCode = reason, code
	}
	f.Config.RevisionId = newID()
	if unpackErr == nil {
		f.Live = &live{ID: newID(), Zip: f.Zip, Config: f.Config.clone()}
	}
}

func settleReason(err error) (reason, code string) {
	switch {
	case errors.Is(err, sandbox.ErrBadZip):
		return "Could not unzip uploaded file. Please check your file, then try to upload again.", "InvalidZipFileException"
	case errors.Is(err, sandbox.ErrTooLarge):
		return "Unzipped size must be smaller than 262144000 bytes", "InvalidZipFileException"
	default:
		return "The emulator could not unpack the code.", "InternalError"
	}
}

// unsettle marks the beginning of an update.
func (f *function) unsettle(now time.Time) {
	f.Config.LastModified = timestamp(now)
	f.Config.RevisionId = newID()
	if f.Config.State == stateFailed { // a function whose creation failed is created again by its next update
		f.Config.State, f.Config.StateReason, f.Config.StateReasonCode = statePending, beingCreated, codeCreating
		return
	}
	f.Config.LastUpdateStatus = updateInProgress
	f.Config.LastUpdateStatusReason, f.Config.LastUpdateStatusReasonCode = beingCreated, codeCreating
}
