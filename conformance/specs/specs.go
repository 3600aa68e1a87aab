// Package specs holds the spec bodies, one file per part of the API. A body uses
// only what conformance.T hands out and runs unchanged in every lane.
//
// It is not the place for mechanisms: guests, holds, oracles and leak checks are
// conformance's.
//
// The property it keeps: each body has been seen to fail, by at least one stored
// mistake in fixtures/mutants.
package specs

import "fleece/conformance"

// All returns every spec, in the order in which it is run and listed.
func All() []conformance.Spec {
	var all []conformance.Spec
	for _, part := range [][]conformance.Spec{
		allBeginSpecs(),
		checkpointSpecs(),
		checkpointCallSpecs(),
		checkpointDeleteSpecs(),
		checkpointRedefineSpecs(),
		checkpointSizeSpecs(),
		checkpointLoadSpecs(),
		checkpointKillSpecs(),
		pushSpecs(),
		pushNetworkSpecs(),
		pushShapeSpecs(),
		pullSpecs(),
		pullShapeSpecs(),
		pullTLSSpecs(),
		pullReaderSpecs(),
		pullHandshakeSpecs(),
		metamorphicSpecs(),
		incrementalSpecs(),
		endSpecs(),
		endTableSpecs(),
		jobSpecs(),
		abortSpecs(),
		statsSpecs(),
		eventSpecs(),
		surfaceSpecs(),
		snapshotSpecs(),
		snapshotRefusalSpecs(),
		snapshotCallSpecs(),
		callerSpecs(),
		recoverySpecs(),
		recoveryCallSpecs(),
		recoveryCancelSpecs(),
		quiesceSpecs(),
		undefineSpecs(),
		defineSpecs(),
		scaleSpecs(),
		defectSpecs(),
		fieldSpecs(),
		dataFileSpecs(),
		plugSpecs(),
		chainSpecs(),
		chainSwitchSpecs(),
		leaveSpecs(),
	} {
		all = append(all, part...)
	}
	all = append(all, overDataFiles(all)...)
	return append(all, pluggedSpecs(all)...)
}
