// The verbs of the shared scenarios that are about variables.

package bridge

import (
	"context"
	"time"
)

var variableVerbs = map[string]verb{
	"register": func(r *runner, _ context.Context, given *step) (any, error) {
		variable := Variable{
			Name: given.Name, Type: given.Type, Constraints: meantOrNil(given.Constraints),
			Metadata: meantOrNil(given.Metadata),
		}
		return either(r.session(given).Register(variable, meant(given.Initial)))
	},
	"get": func(r *runner, _ context.Context, given *step) (any, error) {
		return versioned(r.session(given).Get(given.Name))
	},
	"set": func(r *runner, _ context.Context, given *step) (any, error) {
		return either(r.session(given).Set(given.Name, meant(given.Value), given.write()))
	},
	"update": func(r *runner, _ context.Context, given *step) (any, error) {
		return versioned(r.session(given).Update(given.Name, meant(given.Update), given.write()))
	},
	"rollback": func(r *runner, _ context.Context, given *step) (any, error) {
		return either(r.session(given).Rollback(given.Name, given.Version, given.write()))
	},
	"history": func(r *runner, _ context.Context, given *step) (any, error) {
		return shownEnd(r.session(given).History(given.Name))
	},
	"delete": func(r *runner, _ context.Context, given *step) (any, error) {
		return nil, r.session(given).Delete(given.Name, given.write())
	},
	"lock": func(r *runner, _ context.Context, given *step) (any, error) {
		ttl := time.Duration(given.TTLMS) * time.Millisecond
		return nil, r.session(given).Lock(given.Name, given.Owner, ttl)
	},
	"unlock": func(r *runner, _ context.Context, given *step) (any, error) {
		return nil, r.session(given).Unlock(given.Name, given.Owner)
	},
	"list": func(r *runner, _ context.Context, given *step) (any, error) {
		found, err := shownEnd(r.session(given).Variables(given.Pattern, "", 0))
		return only(found, "name", "type", "version", "value"), err
	},
	"get_many": func(r *runner, _ context.Context, given *step) (any, error) {
		found, err := shownEnd(r.session(given).GetMany(given.Names...))
		if err != nil {
			return nil, err
		}
		parts := found.(map[string]any)
		parts["found"] = only(parts["found"], "name", "version", "value")
		return parts, nil
	},
	"set_many": func(r *runner, _ context.Context, given *step) (any, error) {
		var writes []VariableWrite
		for _, each := range given.Writes {
			write := VariableWrite{each.Name, meant(each.Value), each.ExpectedVersion}
			writes = append(writes, write)
		}
		found, err := shownEnd(r.session(given).SetMany(given.Owner, writes...))
		return only(found, "name", "version"), err
	},
}

func (s *step) write() Write { return Write{ExpectedVersion: s.ExpectedVersion, Owner: s.Owner} }

// either is a version, or what went wrong.
func either(version uint64, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return version, nil
}

func versioned(value *Value, version uint64, err error) (any, error) {
	content, err := shownEnd(value, err)
	if err != nil {
		return nil, err
	}
	return map[string]any{"value": content, "version": version}, nil
}
