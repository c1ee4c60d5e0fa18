defmodule SnakepitBridge.Error do
  @moduledoc """
  Why something did not work: the reason of every `{:error, error}`, and what bang functions raise.

    * `status` says what kind of failure it is, such as `:not_found`, `:deadline` or
      `:python_exception`; see `t:status/0`. Decide by it.
    * `message` is for people: a fragment that names the thing.
    * `details` are the circumstances for programs, a map with string keys, such as `"path"` of the
      part of a value that was refused.
    * `python_type` and `python_traceback` are of the Python exception behind the failure, or nil.
    * `retryable` says whether the same call may succeed later without a change.
  """

  defexception status: :internal,
               message: "",
               details: %{},
               python_type: nil,
               python_traceback: nil,
               retryable: false

  @typedoc "The kinds of failures, as the C library numbers them."
  @type status ::
          :again
          | :invalid_argument
          | :null_argument
          | :handle
          | :utf8
          | :state
          | :busy
          | :closed
          | :cancelled
          | :deadline
          | :not_found
          | :already_exists
          | :already_completed
          | :version_conflict
          | :type_mismatch
          | :constraint
          | :resource_exhausted
          | :unavailable
          | :worker_lost
          | :python_exception
          | :tool_failed
          | :protocol
          | :unsupported
          | :abi_mismatch
          | :forked
          | :would_deadlock
          | :panic
          | :internal
          | :worker_hung
          | :session_worker_unavailable
          | :store
          | :lease_lost

  @typedoc "A failure with its circumstances."
  @type t :: %__MODULE__{
          status: status(),
          message: String.t(),
          details: map(),
          python_type: String.t() | nil,
          python_traceback: String.t() | nil,
          retryable: boolean()
        }

  @impl true
  @spec message(t()) :: String.t()
  def message(%__MODULE__{status: status, message: ""}), do: to_string(status)
  def message(%__MODULE__{status: status, message: message}), do: "#{status}: #{message}"
end
