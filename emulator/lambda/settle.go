package lambda

import (
	"errors"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/image"
	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
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

const codeInvalidImage = "InvalidImage"

// settleLater brings a function's new code and configuration up in the background. change is the one to settle: if it is another by then,
// the function was deleted or replaced. When the server is closing, the next program does it.
func (s *Service) settleLater(name, change string) {
	s.background(func() { s.settle(name, change) })
}

func (s *Service) settle(name, change string) {
	if s.opts.Settle != nil {
		s.opts.Settle(s.ctx, name)
	}
	s.mu.Lock()
	f := s.functions[name]
	if f == nil || f.Change != change {
		s.mu.Unlock()
		return
	}
	c := f.code
	s.mu.Unlock()
	unpackErr := s.prepare(s.ctx, &c)
	if s.ctx.Err() != nil {
		return
	}
	s.finish(name, change, unpackErr)
	s.sweepCode()
	s.provisionLater(name)
}

// finish records how it went. After a failed update the function runs on as it was.
func (s *Service) finish(name, change string, unpackErr error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[name]
	if f == nil || f.Change != change {
		return
	}
	if unpackErr != nil {
		s.opts.Logger.Warn("code cannot be unpacked", "function", name, "error", unpackErr)
	}
	err := s.replace(f, func(f *function) error {
		f.settled(unpackErr)
		return nil
	})
	if err != nil {
		s.opts.Logger.Error("function was not saved", "function", name, "error", err)
		return
	}
	if unpackErr == nil {
		s.fleet.retire(name, latest, s.functions[name].Live.ID)
	}
}

// settled ends the creation or update of $LATEST, and of the versions published with it.
func (f *function) settled(unpackErr error) {
	for number, v := range f.Versions {
		if v.unsettled() {
			next := *v
			next.settled(unpackErr)
			f.Versions[number] = &next
		}
	}
	f.version.settled(unpackErr)
}

func (v *version) settled(unpackErr error) {
	reason, code := settleReason(unpackErr)
	creating := v.Config.State == statePending
	switch {
	case unpackErr == nil:
		v.Config.State, v.Config.LastUpdateStatus = stateActive, updateSuccessful
	case creating:
		v.Config.State = stateFailed
	default:
		v.Config, v.code = v.Live.Config.clone(), v.Live.code
		v.Config.State, v.Config.LastUpdateStatus = stateActive, updateFailed
	}
	v.Config.StateReason, v.Config.StateReasonCode = "", ""
	v.Config.LastUpdateStatusReason, v.Config.LastUpdateStatusReasonCode = "", ""
	if unpackErr != nil && creating {
		v.Config.StateReason, v.Config.StateReasonCode = reason, code
	} else if unpackErr != nil {
		v.Config.LastUpdateStatusReason, v.Config.LastUpdateStatusReasonCode = reason, code
	}
	v.Config.RevisionId = wire.NewID()
	if unpackErr == nil {
		v.bringUp()
	}
}

func settleReason(err error) (reason, code string) {
	switch {
	case errors.Is(err, sandbox.ErrBadZip):
		return "Could not unzip uploaded file. Please check your file, then try to upload again.", "InvalidZipFileException"
	case errors.Is(err, sandbox.ErrTooLarge):
		return "Unzipped size must be smaller than 262144000 bytes", "InvalidZipFileException"
	case errors.Is(err, image.ErrTooLarge):
		return "Uncompressed container image size exceeds 10 GiB limit", codeInvalidImage
	case errors.Is(err, image.ErrContent), errors.Is(err, image.ErrUnsupported):
		return "The container image cannot be unpacked: " + err.Error(), codeInvalidImage
	case errors.Is(err, image.ErrAbsent):
		return "The container image has been deleted from its registry.", "ImageDeleted"
	case errors.Is(err, image.ErrDenied):
		return "Lambda does not have permission to access the container image.", "ImageAccessDenied"
	default:
		return "The emulator could not unpack the code.", "InternalError"
	}
}

// unsettle marks the beginning of an update.
func (f *function) unsettle(now time.Time) {
	f.Config.LastModified = timestamp(now)
	f.Config.RevisionId, f.Change = wire.NewID(), wire.NewID()
	if f.Config.State == stateFailed { // a function whose creation failed is created again by its next update
		f.Config.created()
		return
	}
	f.Config.LastUpdateStatus = updateInProgress
	f.Config.LastUpdateStatusReason, f.Config.LastUpdateStatusReasonCode = beingCreated, codeCreating
}

// created is the state of what has just been created.
func (c *configuration) created() {
	c.State, c.StateReason, c.StateReasonCode = statePending, beingCreated, codeCreating
	c.LastUpdateStatus, c.LastUpdateStatusReason, c.LastUpdateStatusReasonCode = "", "", ""
}
