package virt

// Keys of job statistics (§6.1), in the order in which they are reported.
const (
	DOMAIN_JOB_OPERATION       = "operation"
	DOMAIN_JOB_ID              = "id"
	DOMAIN_JOB_TIME_ELAPSED    = "time_elapsed" // milliseconds
	DOMAIN_JOB_DISK_TOTAL      = "disk_total"   // bytes, as the next four
	DOMAIN_JOB_DISK_PROCESSED  = "disk_processed"
	DOMAIN_JOB_DISK_REMAINING  = "disk_remaining"
	DOMAIN_JOB_DISK_TEMP_USED  = "disk_temp_used"
	DOMAIN_JOB_DISK_TEMP_TOTAL = "disk_temp_total"
	DOMAIN_JOB_SUCCESS         = "success"
	DOMAIN_JOB_ERRMSG          = "errmsg"
)

// ParamType is virTypedParameterType.
type ParamType int

// The types of a typed parameter.
const (
	TYPED_PARAM_INT     ParamType = 1
	TYPED_PARAM_UINT    ParamType = 2
	TYPED_PARAM_LLONG   ParamType = 3
	TYPED_PARAM_ULLONG  ParamType = 4
	TYPED_PARAM_DOUBLE  ParamType = 5
	TYPED_PARAM_BOOLEAN ParamType = 6
	TYPED_PARAM_STRING  ParamType = 7
)

// TypedParam is one virTypedParameter.
type TypedParam struct {
	Field string
	Type  ParamType
	// Value is int32, uint32, int64, uint64, float64, bool or string, by Type.
	Value any
}

// IntParam makes a parameter of type INT.
func IntParam(field string, v int32) TypedParam { return TypedParam{field, TYPED_PARAM_INT, v} }

// UIntParam makes a parameter of type UINT.
func UIntParam(field string, v uint32) TypedParam { return TypedParam{field, TYPED_PARAM_UINT, v} }

// LLongParam makes a parameter of type LLONG.
func LLongParam(field string, v int64) TypedParam { return TypedParam{field, TYPED_PARAM_LLONG, v} }

// ULLongParam makes a parameter of type ULLONG.
func ULLongParam(field string, v uint64) TypedParam { return TypedParam{field, TYPED_PARAM_ULLONG, v} }

// DoubleParam makes a parameter of type DOUBLE.
func DoubleParam(field string, v float64) TypedParam { return TypedParam{field, TYPED_PARAM_DOUBLE, v} }

// BoolParam makes a parameter of type BOOLEAN.
func BoolParam(field string, v bool) TypedParam { return TypedParam{field, TYPED_PARAM_BOOLEAN, v} }

// StringParam makes a parameter of type STRING.
func StringParam(field, v string) TypedParam { return TypedParam{field, TYPED_PARAM_STRING, v} }

// FindParam returns the parameter of that name.
func FindParam(params []TypedParam, field string) (TypedParam, bool) {
	for _, p := range params {
		if p.Field == field {
			return p, true
		}
	}
	return TypedParam{}, false
}

// DomainJobID is virDomainJobId of the seed.
type DomainJobID struct {
	Type DomainJobType
	ID   int
}

// DomainJobInfo is virDomainJobInfo. Times are milliseconds, the rest bytes.
type DomainJobInfo struct {
	Type          DomainJobType
	TimeElapsed   uint64
	TimeRemaining uint64
	DataTotal     uint64
	DataProcessed uint64
	DataRemaining uint64
	MemTotal      uint64
	MemProcessed  uint64
	MemRemaining  uint64
	FileTotal     uint64
	FileProcessed uint64
	FileRemaining uint64
}
