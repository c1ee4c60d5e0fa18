defmodule DSPex.Program do
  # Program documents: made of a kind, a signature and options.
  # Owns: the keys of a document and the kinds (docs/programs.md). Must not know: sessions, calls,
  # what is inside the values of the keys: the worker checks these, with the place of a fault.
  @moduledoc """
  Programs as documents, made by `DSPex.program/3`.

  A program is a kind, a signature where the kind has one, and what goes with it:

      DSPex.program(:react, "question -> answer", tools: ["lookup"], options: [max_iters: 4])

  | kinds | need |
  | --- | --- |
  | `:predict`, `:chain_of_thought`, `:program_of_thought` | a signature |
  | `:multi_chain_comparison` | a signature |
  | `:react`, `:code_act` | a signature and `:tools` |
  | `:best_of_n`, `:refine`, `:knn_few_shot` | `programs: [module: …]`, `:options` |
  | `:ensemble`, `:sequence` | `:programs`, `:options` |
  | `:python` | `:options` with the name of a class |

  The keys are `:instructions`, `:demos`, `:tools`, `:lm`, `:adapter`, `:config`, `:options`,
  `:programs` and `:state`, each as `docs/programs.md` has it; keyword lists do for objects. An
  unknown key or kind raises `ArgumentError`; what is in the values is checked by the worker.
  """

  @typedoc "The document of a program."
  @type t :: %{required(:module) => String.t(), optional(atom()) => term()}

  @typedoc """
  A program as operations take it: the name of a variable that holds one, such a name with a
  version, a document, or a module that `DSPex.defdspy/3` made.
  """
  @type source :: String.t() | {String.t(), pos_integer()} | t() | map() | module()

  @of_signature ~w(predict chain_of_thought react program_of_thought code_act
                   multi_chain_comparison)a
  @of_programs ~w(best_of_n refine ensemble knn_few_shot sequence python)a
  @keys ~w(instructions demos tools lm adapter config options programs state)a

  @doc "The kinds that are made of a signature."
  @spec kinds_of_signature() :: [atom()]
  def kinds_of_signature, do: @of_signature

  @doc false
  @spec new(atom(), String.t() | DSPex.Signature.t() | map() | nil, keyword()) :: t()
  def new(kind, signature, opts) do
    unless kind in @of_signature or kind in @of_programs do
      raise ArgumentError,
            "program of kind #{inspect(kind)}, expected one of " <>
              list(@of_signature ++ @of_programs)
    end

    for {key, _value} <- opts, key not in @keys do
      raise ArgumentError, "key #{inspect(key)} of a program, expected one of #{list(@keys)}"
    end

    keys = [{:module, Atom.to_string(kind)}, {:signature, signature} | opts]
    DSPex.Call.plain(for {key, value} <- keys, value != nil, into: %{}, do: {key, value})
  end

  @doc false
  @spec reference(source()) :: String.t() | map()
  def reference({name, version}) when is_binary(name), do: %{variable: name, version: version}

  def reference(module) when is_atom(module) do
    if Code.ensure_loaded?(module) and function_exported?(module, :program, 0) do
      module.program()
    else
      raise ArgumentError, "program #{inspect(module)}, expected a name or a module of defdspy"
    end
  end

  def reference(name_or_document), do: name_or_document

  # Whether it is a document that names no language model.
  @doc false
  @spec without_lm?(String.t() | map()) :: boolean()
  def without_lm?(%{} = document) do
    has? = &(Map.has_key?(document, &1) or Map.has_key?(document, Atom.to_string(&1)))
    has?.(:module) and not has?.(:lm)
  end

  def without_lm?(_name), do: false

  defp list(names), do: Enum.map_join(names, ", ", &inspect/1)
end
